"""First-order optimizers that update a list of tensors in place.

Every optimizer is made from the parameters and called with their gradients, ``optimizer.step(gradients)``; without an
argument, ``step()`` reads each parameter's ``.grad`` as autograd leaves it. The state has the device and the dtype of
the parameters. ``learning_rate`` may be changed between steps: that is all a schedule needs.

In the formulas ``theta`` is a parameter, ``g`` its gradient and ``t`` the number of the step, counted from 1.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor


def _check_fraction(name: str, value: float) -> float:
    if not 0 <= value < 1:
        raise ValueError(f"{name} must be at least 0 and less than 1, got {value}")
    return value


def _check_positive(name: str, value: float) -> float:
    if not value > 0:
        raise ValueError(f"{name} must be positive, got {value}")
    return value


class Optimizer:
    """What all optimizers share: the parameters, the learning rate, and the way a step is taken.

    Attributes:
        parameters: The tensors that a step changes.
        learning_rate: Factor of the step; it may be changed between steps.
        steps: Number of steps taken.

    Source: Robbins and Monro (1951), A stochastic approximation method.

    Chapter: Gradient descent
    """

    def __init__(self, parameters: Iterable[Tensor], learning_rate: float) -> None:
        if isinstance(parameters, Tensor):
            raise TypeError("parameters must be a list of tensors, got one tensor; put it into a list")
        self.parameters = list(parameters)
        if not self.parameters:
            raise ValueError("there are no parameters to optimize")
        for index, parameter in enumerate(self.parameters):
            if not isinstance(parameter, Tensor) or not parameter.dtype.is_floating_point:
                kind = parameter.dtype if isinstance(parameter, Tensor) else type(parameter).__name__
                raise TypeError(f"parameter {index} must be a tensor of floating-point numbers, got {kind}")
        self.learning_rate = _check_positive("learning_rate", learning_rate)
        self.steps = 0

    @torch.no_grad()
    def step(self, gradients: Sequence[Tensor] | None = None) -> None:
        """Take one step: change every parameter in place.

        Args:
            gradients: One gradient per parameter, in the same order and of the same shapes; they are not written to.
                Without it, each parameter's ``.grad``.

        Raises:
            ValueError: If a gradient is missing or has another shape than its parameter. Nothing is changed then.
        """
        if gradients is None:
            gradients = [parameter.grad for parameter in self.parameters]
        if len(gradients) != len(self.parameters):
            raise ValueError(f"{len(gradients)} gradients for {len(self.parameters)} parameters")
        for index, (parameter, gradient) in enumerate(zip(self.parameters, gradients, strict=True)):
            if gradient is None:
                raise ValueError(f"parameter {index} has no gradient: call backward() first, or leave it out")
            if gradient.shape != parameter.shape:
                raise ValueError(
                    f"gradient {index} has the shape {tuple(gradient.shape)}, "
                    f"its parameter has {tuple(parameter.shape)}"
                )
        self.steps += 1
        for index, (parameter, gradient) in enumerate(zip(self.parameters, gradients, strict=True)):
            self._update(index, parameter, gradient)

    def zero_grad(self) -> None:
        """Forget the parameters' ``.grad``, which autograd would otherwise add to."""
        for parameter in self.parameters:
            parameter.grad = None

    def _update(self, index: int, parameter: Tensor, gradient: Tensor) -> None:
        raise NotImplementedError

    def _zeros(self) -> list[Tensor]:
        return [torch.zeros_like(parameter) for parameter in self.parameters]


class SGD(Optimizer):
    """Stochastic gradient descent: ``theta <- theta - learning_rate g``.

    Args:
        parameters: Tensors to change in place.
        learning_rate: Factor of the step, positive.

    Raises:
        TypeError: If the parameters are not floating-point tensors.
        ValueError: If there are no parameters or a number is out of its range.

    Source: Robbins and Monro (1951), A stochastic approximation method.

    Chapter: Backpropagation and automatic differentiation (training-cycle)
    """

    def _update(self, index: int, parameter: Tensor, gradient: Tensor) -> None:
        parameter -= self.learning_rate * gradient


class Momentum(Optimizer):
    """Classical momentum: ``v <- momentum v + g``, ``theta <- theta - learning_rate v``, from ``v = 0``.

    The velocity is a weighted sum of past gradients, not a mean: under a constant gradient it grows to
    ``g / (1 - momentum)``. Two other forms are common. ``v <- momentum v - learning_rate g``, ``theta <- theta + v``
    takes the same path as long as the learning rate is constant. ``v <- momentum v + (1 - momentum) g`` is a mean, and
    takes the same path with a learning rate larger by ``1 / (1 - momentum)``.

    Args:
        parameters: Tensors to change in place.
        learning_rate: Factor of the step, positive.
        momentum: Share of the velocity that is kept, 0 <= momentum < 1.

    Raises:
        TypeError: If the parameters are not floating-point tensors.
        ValueError: If there are no parameters or a number is out of its range.

    Source: Polyak (1964), Some methods of speeding up the convergence of iteration methods.

    Chapter: Optimizers
    """

    def __init__(self, parameters: Iterable[Tensor], learning_rate: float, momentum: float = 0.9) -> None:
        super().__init__(parameters, learning_rate)
        self.momentum = _check_fraction("momentum", momentum)
        self.velocity = self._zeros()

    def _update(self, index: int, parameter: Tensor, gradient: Tensor) -> None:
        v = self.velocity[index]
        v.mul_(self.momentum).add_(gradient)
        parameter -= self.learning_rate * v


class Nesterov(Momentum):
    """Nesterov momentum: ``v <- momentum v + g``, ``theta <- theta - learning_rate (g + momentum v)``.

    The textbook form takes the gradient at the point where the velocity alone would lead. Here ``theta`` is that point,
    so that the gradient is the one at ``theta``; the two forms take the same path as long as the learning rate is
    constant.

    Args:
        parameters: Tensors to change in place.
        learning_rate: Factor of the step, positive.
        momentum: Share of the velocity that is kept, 0 <= momentum < 1.

    Raises:
        TypeError: If the parameters are not floating-point tensors.
        ValueError: If there are no parameters or a number is out of its range.

    Source: Sutskever, Martens, Dahl and Hinton (2013), On the importance of initialization and momentum in deep
    learning.

    Chapter: Optimizers
    """

    def _update(self, index: int, parameter: Tensor, gradient: Tensor) -> None:
        v = self.velocity[index]
        v.mul_(self.momentum).add_(gradient)
        parameter -= self.learning_rate * (gradient + self.momentum * v)


class AdaGrad(Optimizer):
    """AdaGrad: ``s <- s + g**2``, ``theta <- theta - learning_rate g / (sqrt(s) + epsilon)``, element by element.

    Args:
        parameters: Tensors to change in place.
        learning_rate: Factor of the step, positive.
        epsilon: Keeps the division safe while ``s`` is 0, positive.

    Raises:
        TypeError: If the parameters are not floating-point tensors.
        ValueError: If there are no parameters or a number is out of its range.

    Source: Duchi, Hazan and Singer (2011), Adaptive subgradient methods for online learning and stochastic
    optimization.

    Chapter: Optimizers
    """

    def __init__(self, parameters: Iterable[Tensor], learning_rate: float = 0.01, epsilon: float = 1e-10) -> None:
        super().__init__(parameters, learning_rate)
        self.epsilon = _check_positive("epsilon", epsilon)
        self.squares = self._zeros()

    def _update(self, index: int, parameter: Tensor, gradient: Tensor) -> None:
        s = self.squares[index]
        s += gradient**2
        parameter -= self.learning_rate * gradient / (s.sqrt() + self.epsilon)


class RMSprop(Optimizer):
    """RMSprop: ``s <- decay s + (1 - decay) g**2``, ``theta <- theta - learning_rate g / (sqrt(s) + epsilon)``.

    AdaGrad with a moving average in place of the sum, so that the steps do not die out.

    Args:
        parameters: Tensors to change in place.
        learning_rate: Factor of the step, positive.
        decay: Share of the past in the average, 0 <= decay < 1.
        epsilon: Keeps the division safe while ``s`` is 0, positive.

    Raises:
        TypeError: If the parameters are not floating-point tensors.
        ValueError: If there are no parameters or a number is out of its range.

    Source: Tieleman and Hinton (2012), Lecture 6.5: rmsprop.

    Chapter: Optimizers
    """

    def __init__(
        self, parameters: Iterable[Tensor], learning_rate: float = 0.001, decay: float = 0.9, epsilon: float = 1e-8
    ) -> None:
        super().__init__(parameters, learning_rate)
        self.decay = _check_fraction("decay", decay)
        self.epsilon = _check_positive("epsilon", epsilon)
        self.squares = self._zeros()

    def _update(self, index: int, parameter: Tensor, gradient: Tensor) -> None:
        s = self.squares[index]
        s.mul_(self.decay).add_((1 - self.decay) * gradient**2)
        parameter -= self.learning_rate * gradient / (s.sqrt() + self.epsilon)


class Adam(Optimizer):
    """Adam: momentum and RMSprop, both corrected for their start at 0.

    ``m <- beta1 m + (1 - beta1) g``, ``s <- beta2 s + (1 - beta2) g**2``, and with ``m_hat = m / (1 - beta1**t)`` and
    ``s_hat = s / (1 - beta2**t)``: ``theta <- theta - learning_rate m_hat / (sqrt(s_hat) + epsilon)``.

    Args:
        parameters: Tensors to change in place.
        learning_rate: Factor of the step, positive; it is the size of the first step of each element.
        beta1: Share of the past in the mean of the gradients, 0 <= beta1 < 1.
        beta2: Share of the past in the mean of their squares, 0 <= beta2 < 1.
        epsilon: Keeps the division safe while ``s`` is 0, positive.

    Raises:
        TypeError: If the parameters are not floating-point tensors.
        ValueError: If there are no parameters or a number is out of its range.

    Source: Kingma and Ba (2015), Adam: A method for stochastic optimization.

    Chapter: Optimizers
    """

    def __init__(
        self,
        parameters: Iterable[Tensor],
        learning_rate: float = 0.001,
        beta1: float = 0.9,
        beta2: float = 0.999,
        epsilon: float = 1e-8,
    ) -> None:
        super().__init__(parameters, learning_rate)
        self.beta1 = _check_fraction("beta1", beta1)
        self.beta2 = _check_fraction("beta2", beta2)
        self.epsilon = _check_positive("epsilon", epsilon)
        self.means = self._zeros()
        self.squares = self._zeros()

    def _update(self, index: int, parameter: Tensor, gradient: Tensor) -> None:
        m, s = self.means[index], self.squares[index]
        m.mul_(self.beta1).add_((1 - self.beta1) * gradient)
        s.mul_(self.beta2).add_((1 - self.beta2) * gradient**2)
        m_hat = m / (1 - self.beta1**self.steps)
        s_hat = s / (1 - self.beta2**self.steps)
        parameter -= self.learning_rate * m_hat / (s_hat.sqrt() + self.epsilon)


class AdamW(Adam):
    """Adam with decoupled weight decay: ``theta <- (1 - learning_rate weight_decay) theta``, then an Adam step.

    The decay does not pass through Adam's division, as the gradient of a squared penalty would: every weight shrinks by
    the same share.

    Args:
        parameters: Tensors to change in place.
        learning_rate: Factor of the step and of the decay, positive.
        beta1: Share of the past in the mean of the gradients, 0 <= beta1 < 1.
        beta2: Share of the past in the mean of their squares, 0 <= beta2 < 1.
        epsilon: Keeps the division safe while ``s`` is 0, positive.
        weight_decay: Strength of the decay, not negative.

    Raises:
        TypeError: If the parameters are not floating-point tensors.
        ValueError: If there are no parameters or a number is out of its range.

    Source: Loshchilov and Hutter (2019), Decoupled weight decay regularization.

    Chapter: Optimizers
    """

    def __init__(
        self,
        parameters: Iterable[Tensor],
        learning_rate: float = 0.001,
        beta1: float = 0.9,
        beta2: float = 0.999,
        epsilon: float = 1e-8,
        weight_decay: float = 0.01,
    ) -> None:
        super().__init__(parameters, learning_rate, beta1, beta2, epsilon)
        if not weight_decay >= 0:
            raise ValueError(f"weight_decay must not be negative, got {weight_decay}")
        self.weight_decay = weight_decay

    def _update(self, index: int, parameter: Tensor, gradient: Tensor) -> None:
        parameter *= 1 - self.learning_rate * self.weight_decay
        super()._update(index, parameter, gradient)
