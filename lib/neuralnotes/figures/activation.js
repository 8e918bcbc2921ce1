import { choice, clamp, figure, fixed, format, handle, html, path, plot, row, set, slider, svg } from "./kit.js";

export const defaults = { name: "sigmoid", x: -2.5, weight: 1 };

const strings = {
  en: {
    name: "Activation f",
    names: { identity: "identity", sigmoid: "sigmoid", tanh: "tanh", relu: "ReLU", leaky_relu: "leaky ReLU", elu: "ELU", gelu: "GELU", softplus: "softplus" },
    weight: "Weight w of layers 2 to 10",
    left: "The function and its slope",
    right: "The gradient through ten layers",
    function: "The activation function f and its derivative, with the inputs of the ten layers",
    chain: "Slope factors of ten layers, and their product so far, on a logarithmic axis",
    input: "Input x of the first layer",
    x: "a, input of a layer",
    layer: "layer",
    factor: "factor of one layer",
    product: (negative) => `product so far${negative ? " (○ negative)" : ""}`,
    below: (value) => `${value} ↓`,
    above: (value) => `${value} ↑`,
    zero: "0: stops here",
    slope: (x, y, d) => `f(${x}) = ${y}, and the slope there is f′(${x}) = ${d}.`,
    verdict: {
      dead: (value, layer) => `The gradient is exactly 0: layer ${layer} has slope 0, and nothing passes it.`,
      vanishing: (value) => `The gradient vanishes: after ten layers ${value} is left of 1.`,
      exploding: (value) => `The gradient explodes: ten layers make ${value} out of 1.`,
      steady: (value) => `The gradient survives: ten layers make ${value} out of 1.`,
    },
    formula: "∂h₁₀/∂x = f′(a₁) · w f′(a₂) · … · w f′(a₁₀)  with  a₁ = x,  hₖ = f(aₖ),  aₖ₊₁ = w hₖ",
    hint: "Drag the large dot along the curve. The small numbers are the layers, each at the input that it gets.",
  },
};

// ---------------------------------------------------------------------------------------------------- mathematics

const logistic = (x) => (x >= 0 ? 1 / (1 + Math.exp(-x)) : Math.exp(x) / (1 + Math.exp(x)));

/** erfc(z), to about 14 digits: a series near 0, a continued fraction farther out. */
function erfc(z) {
  if (z < 0) return 2 - erfc(-z);
  if (z < 2.5) {
    let term = z, sum = z;
    for (let n = 1; Math.abs(term) > 1e-17; n++) {
      term *= -z * z / n;
      sum += term / (2 * n + 1);
    }
    return 1 - 2 / Math.sqrt(Math.PI) * sum;
  }
  let tail = z;
  for (let n = 80; n > 0; n--) tail = z + n / 2 / tail;
  return Math.exp(-z * z) / Math.sqrt(Math.PI) / tail;
}

const normal = (x) => 0.5 * erfc(-x / Math.SQRT2);

/** Each function beside its derivative, as in `neuralnotes.activations`; at a kink the slope of the left side. */
export const FUNCTIONS = {
  identity: [(x) => x, () => 1],
  sigmoid: [logistic, (x) => logistic(x) * logistic(-x)],
  tanh: [Math.tanh, (x) => 1 - Math.tanh(x) ** 2],
  relu: [(x) => Math.max(0, x), (x) => (x > 0 ? 1 : 0)],
  leaky_relu: [(x) => (x > 0 ? x : 0.01 * x), (x) => (x > 0 ? 1 : 0.01)],
  elu: [(x) => (x > 0 ? x : Math.expm1(x)), (x) => (x > 0 ? 1 : Math.exp(x))],
  gelu: [(x) => x * normal(x), (x) => normal(x) + x * Math.exp(-x * x / 2) / Math.sqrt(2 * Math.PI)],
  softplus: [(x) => Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x))), logistic],
};

/** Ten layers from x: the input a of each, the factor of each in ∂h/∂x, and the product of the factors so far. */
export function chain(name, x, weight, layers = 10) {
  const [f, slope] = FUNCTIONS[name];
  const inputs = [], factors = [], products = [];
  let a = x, product = 1;
  for (let layer = 0; layer < layers; layer++) {
    const factor = (layer ? weight : 1) * slope(a);
    product *= factor;
    inputs.push(a);
    factors.push(factor);
    products.push(product);
    a = weight * f(a);
  }
  return { inputs, factors, products };
}

/** What becomes of the gradient, in a word. */
export function verdict(product) {
  const size = Math.abs(product);
  return size === 0 ? "dead" : size < 0.01 ? "vanishing" : size > 100 ? "exploding" : "steady";
}

/** Whole numbers in order, in few letters: "1, 3–10", or "2, 4, …, 10" where there are many gaps. */
export function runs(numbers) {
  const found = [];
  for (const n of numbers) {
    if (found.at(-1)?.[1] === n - 1) found.at(-1)[1] = n;
    else found.push([n, n]);
  }
  if (found.length > 3) return `${numbers[0]}, ${numbers[1]}, …, ${numbers.at(-1)}`;
  return found.map(([from, to]) => (from === to ? from : `${from}–${to}`)).join(", ");
}

// -------------------------------------------------------------------------------------------------------- drawing

const REACH = 5, MOST = 4, LOW = 1e-9, HIGH = 1e6;

function create(root, host) {
  const text = host.text;
  let { name, x, weight } = host.props;
  if (!FUNCTIONS[name]) throw new Error(`there is no activation ${name}; there is ${Object.keys(FUNCTIONS).join(", ")}`);

  const shape = plot({ width: 340, height: 310, x: [-REACH, REACH], y: [-2, 3], xlabel: text.x, title: text.left, label: text.function });
  const layers = plot({ width: 340, height: 310, x: [0.3, 10.7], y: [LOW, HIGH], xlabel: text.layer, title: text.right, label: text.chain, log: true, ticks: 10 });
  const curves = svg("g", { "clip-path": shape.clip }), words = svg("g");
  shape.middle.append(curves, words);
  const [f, slope] = [(a) => FUNCTIONS[name][0](a), (a) => FUNCTIONS[name][1](a)];
  const onCurve = (a) => clamp(f(a), -2, 3);
  const point = handle(shape, { x, y: onCurve(x), label: text.input, lock: "x", step: [0.1, 1], content: svg("circle", { r: 8, class: "nn-dot" }),
    onmove: (a) => {
      x = Math.round(a * 100) / 100;
      update();
      return [x, onCurve(x)];
    } });
  shape.front.append(point.node);
  const names = choice({ label: text.name, value: name, options: Object.keys(FUNCTIONS).map((each) => [each, text.names[each]]),
    onchange: (each) => {
      name = each;
      point.move(x, onCurve(x));
      update();
    } });
  const weights = slider({ label: text.weight, min: -MOST, max: MOST, step: 0.05, value: weight, show: (w) => fixed(w),
    oninput: (w) => {
      weight = w;
      update();
    } });
  const result = html("p", { class: "nn-happened" }), local = html("p", {});

  function update() {
    draw();
    host.changed();
    host.say(`${local.textContent} ${result.textContent}`);
  }

  function draw() {
    const { inputs, factors, products } = chain(name, x, weight), last = products.at(-1);
    const grid = Array.from({ length: 401 }, (_, i) => -REACH + i * 2 * REACH / 400);
    // A jump of the slope is drawn as a gap.
    const jumps = name === "relu" || name === "leaky_relu";
    const slopes = grid.flatMap((a) => (jumps && a === 0 ? [[a, slope(-1)], [NaN, NaN], [a, slope(1)]] : [[a, slope(a)]]));
    const tangent = [-0.9, 0.9].map((d) => [x + d, f(x) + d * slope(x)]);
    curves.replaceChildren(
      svg("path", { d: path(shape, slopes), class: "nn-line nn-orange nn-dashed" }),
      svg("path", { d: path(shape, grid.map((a) => [a, f(a)])), class: "nn-line nn-blue" }),
      svg("path", { d: path(shape, tangent), class: "nn-line nn-ink nn-thin" }),
      svg("path", { d: path(shape, [[x, f(x)], [x, slope(x)]]), class: "nn-line nn-orange nn-stem" }),
    );
    // Layers whose inputs lie close together share a label.
    const groups = [], seen = inputs.map((a) => ({ spot: shape.X(clamp(a, -REACH, REACH)), side: a <= -REACH ? -1 : a >= REACH ? 1 : 0, height: shape.Y(clamp(slope(a), -2, 3)) }));
    seen.forEach(({ spot, side }, i) => {
      const group = groups.find((other) => other.side === side && Math.abs(other.spot - spot) < 32);
      if (group) group.layers.push(i + 1);
      else groups.push({ spot, side, layers: [i + 1] });
    });
    words.replaceChildren(
      svg("text", { x: shape.X(4.8), y: shape.Y(clamp(f(4.6), -2, 2.8)) + (f(4.6) > 2 ? 16 : -8), "text-anchor": "end", class: "nn-halo nn-blue nn-strong" }, f(4.6) > 2 ? "" : "f"),
      f(4.6) > 2 ? svg("text", { x: shape.X(2.35), y: shape.Y(2.35) - 6, "text-anchor": "end", class: "nn-halo nn-blue nn-strong" }, "f") : "",
      svg("text", { x: shape.X(-4.8), y: shape.Y(slope(-4.8)) - 7, class: "nn-halo nn-orange nn-strong" }, "f′"),
      ...seen.flatMap(({ spot, height }) => [
        svg("circle", { cx: spot, cy: height, r: 3.5, class: "nn-fill nn-orange nn-mark" }),
        svg("line", { x1: spot, x2: spot, y1: shape.Y(-2), y2: shape.Y(-2) - 5, class: "nn-line nn-orange" }),
      ]),
      ...groups.map(({ spot, side, layers: members }) => svg("text", { x: spot, y: shape.Y(-2) - (side ? 24 : 9), "text-anchor": ["start", "middle", "end"][side + 1], class: "nn-halo nn-orange" },
        `${side < 0 ? "← " : ""}${runs(members)}${side > 0 ? " →" : ""}`)),
    );

    const drawn = [], Y = (value) => layers.Y(clamp(Math.abs(value), LOW, HIGH));
    factors.forEach((factor, i) => {
      const [top, bottom] = [Y(factor), layers.Y(1)].sort((a, b) => a - b);
      drawn.push(svg("rect", { x: layers.X(i + 0.72), width: layers.X(0.56) - layers.X(0), y: top, height: Math.max(1.5, bottom - top), class: "nn-fill nn-orange nn-bar" }));
    });
    const stop = products.indexOf(0), shown = stop < 0 ? products : products.slice(0, stop + 1);
    drawn.push(svg("line", { x1: layers.X(0.3), x2: layers.X(10.7), y1: layers.Y(1), y2: layers.Y(1), class: "nn-one" }));
    drawn.push(svg("path", { d: shown.map((value, i) => `${i ? "L" : "M"}${layers.X(i + 1)} ${Y(value)}`).join(""), class: "nn-line nn-ink" }));
    shown.forEach((value, i) => {
      const out = Math.abs(value) < LOW || Math.abs(value) > HIGH;
      drawn.push(svg("circle", { cx: layers.X(i + 1), cy: Y(value), r: 4, class: `nn-product${value < 0 ? " nn-negative" : ""}${out ? " nn-out" : ""}` }));
    });
    const size = Math.abs(last), down = size < 1;
    const at = stop < 0 ? 10 : stop + 1;
    const label = stop >= 0 ? text.zero : size < LOW ? text.below(format(last)) : size > HIGH ? text.above(format(last)) : format(last);
    drawn.push(svg("text", { x: layers.X(at) + (at < 5 ? 9 : -9), y: clamp(Y(last) + (down ? 16 : -8), 40, 262), "text-anchor": at < 5 ? "start" : "end", class: "nn-halo nn-ink nn-strong" }, label));
    drawn.push(svg("text", { x: layers.X(0.5), y: layers.Y(HIGH) + 18, class: "nn-halo nn-ink" }, "● ", text.product(products.some((value) => value < 0))));
    drawn.push(svg("text", { x: layers.X(0.5), y: layers.Y(HIGH) + 35, class: "nn-halo nn-orange" }, "■ ", text.factor));
    layers.middle.replaceChildren(...drawn);

    local.textContent = text.slope(fixed(x), format(f(x)), format(slope(x)));
    result.textContent = text.verdict[verdict(last)](format(last), stop + 1);
  }

  draw();
  root.append(row(names, weights), html("div", { class: "nn-panels" }, shape.node, layers.node),
    html("div", { class: "nn-lines" }, result, local), html("p", { class: "nn-note" }, html("span", { class: "nn-formula" }, text.formula), html("br"), text.hint));
  return {
    state: () => ({ name, x, weight }),
    set: (state) => {
      if (!FUNCTIONS[state.name] || !Number.isFinite(state.x) || !Number.isFinite(state.weight)) throw new Error("this is no state of the activation figure");
      name = names.value = state.name;
      x = clamp(state.x, -REACH, REACH);
      weights.value = clamp(state.weight, -MOST, MOST);
      weight = weights.value;
      point.move(x, onCurve(x));
      draw();
    },
  };
}

export const { mount, render } = figure({ name: "activation", defaults, strings, create });

export default { render };
