// Tells MathJax's loader what the bundle holds, so that it does not fetch these parts again.
import { Loader } from "mathjax-full/js/components/loader.js";

Loader.preLoad(
  "loader", "startup", "core", "input/tex", "output/chtml", "output/chtml/fonts/tex.js", "a11y/assistive-mml",
);
