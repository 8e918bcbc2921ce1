"""Models: networks assembled from the functions of the method modules, as thin torch modules."""
