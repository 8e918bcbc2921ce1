import { choice, clamp, figure, format, html, player, row, set, slider, svg } from "./kit.js";

export const defaults = {
  expression: "(x*y + max(z, w))*2",
  values: { x: 3, y: -4, z: 2, w: -1 },
};

const strings = {
  en: {
    expression: "f =",
    expressionLabel: "Expression of f",
    examples: "Examples",
    own: "your own",
    rules: "+ − * / ^ ( ) and max, min, exp, log, tanh, sigmoid, relu, sin, cos, sqrt; any other word is an input.",
    progress: "Progress",
    graph: "Computational graph of f: the value of each node above it, the gradient of f below it",
    key: "Above a box: its value. Below it, in orange: the gradient of f with respect to it.",
    drag: (name) => `Input ${name}: drag sideways, or use the arrow keys`,
    table: "Inputs of f: value, gradient from the backward pass, central finite difference",
    input: "input",
    value: "value",
    gradient: "gradient, backward",
    difference: "finite difference",
    valueOf: (name) => `Value of ${name}`,
    pending: "not yet",
    start: "Only the inputs have values. The forward pass fills in one box after the other.",
    computes: (name, formula, numbers, value) => `Forward: ${name} = ${formula} = ${numbers} = ${value}.`,
    seed: (value) => `Backward: f = ${value} starts with the gradient ∂f/∂f = 1. Step sends it on, edge by edge.`,
    sends: (from, to, upstream, local, share) =>
      `Backward: ${from} sends ${to} upstream ${upstream} × local ${local} = ${share}.`,
    added: (to, sum) => ` The parts add up: gradient of ${to} = ${sum}.`,
    waits: (to) => ` ${to} waits for another part.`,
    done: (value, apart) =>
      `f = ${value}. Every gradient is there; the farthest is ${apart} from its finite difference.`,
    kink: (where) =>
      ` But ${where}: there f has a kink, the backward pass takes one side, and the finite difference the mean of both.`,
    tie: (name, op) => `${name} is a ${op} of two equal numbers`,
    corner: (name) => `${name} is a relu at 0`,
    undefinedValue: (name, formula) =>
      `${name} = ${formula} is no finite number at these inputs, so neither is what follows from it.`,
    say: (name, value, f) => `${name} is ${value}, f is ${f}.`,
    error: {
      empty: "Type an expression, such as x*y + z.",
      character: (got) => `The character ${got} has no meaning here.`,
      number: (got) => `${got} is not a number.`,
      argument: (got) =>
        got ? `A number, a name or a parenthesis is missing before ${got}.` : "The expression stops too early.",
      operator: (got) => `An operator, such as *, is missing before ${got}.`,
      open: (name) => `${name} is a function: it needs a parenthesis after it.`,
      close: (got) =>
        got ? `A closing parenthesis is missing before ${got}.` : "A closing parenthesis is missing at the end.",
      extra: "This closing parenthesis was never opened.",
      arity: (name, wanted, got) => `${name} takes ${wanted} argument${wanted === 1 ? "" : "s"}, not ${got}.`,
      unknown: (name) => `There is no function ${name}.`,
      name: "f is the name of the result; call the input something else.",
      long: (name) => `The name ${name} is too long; 6 letters are enough.`,
      constant: "There is no input in this expression: nothing to differentiate.",
      size: (got, most) => `This graph has ${got} nodes; at most ${most} fit.`,
    },
    samples: {
      routes: "one of each rule",
      shared: "an input used twice",
      neuron: "a neuron",
      chain: "a chain with a shared input",
      tie: "a tie in max",
    },
  },
};

const MOST = 24;

const EXAMPLES = {
  routes: defaults,
  shared: { expression: "a*b + a", values: { a: 3, b: 4 } },
  neuron: { expression: "sigmoid(w1*x1 + w2*x2 + b)", values: { w1: 2, x1: -1, w2: -3, x2: -2, b: -3 } },
  chain: { expression: "tanh(x*exp(-x*x))", values: { x: 0.4 } },
  tie: { expression: "max(a, b)*c", values: { a: 1, b: 1, c: 3 } },
};

// ---------------------------------------------------------------------------------------------------- mathematics

// Each operation: its value, its local derivative toward each argument, and how it is written. In a tie the first
// argument wins, as in neuralnotes.autodiff.maximum.
const logistic = (a) => 1 / (1 + Math.exp(-a));
const infix = (sign) => (a, b) => `${a} ${sign} ${b}`;
const OPERATIONS = {
  "+": { value: (a, b) => a + b, slopes: () => [1, 1], write: infix("+") },
  "-": { value: (a, b) => a - b, slopes: () => [1, -1], write: infix("−") },
  "*": { value: (a, b) => a * b, slopes: (a, b) => [b, a], write: infix("·") },
  "/": { value: (a, b) => a / b, slopes: (a, b) => [1 / b, -a / b ** 2], write: infix("/") },
  "^": {
    value: (a, b) => a ** b,
    slopes: (a, b) => [b === 0 ? 0 : b * a ** (b - 1), a === 0 && b > 0 ? 0 : a ** b * Math.log(a)],
    write: (a, b) => `${a}^${b}`,
  },
  neg: { value: (a) => -a, slopes: () => [-1], write: (a) => `−${a}` },
};
const FUNCTIONS = {
  max: { value: Math.max, slopes: (a, b) => (a >= b ? [1, 0] : [0, 1]) },
  min: { value: Math.min, slopes: (a, b) => (a <= b ? [1, 0] : [0, 1]) },
  exp: { value: Math.exp, slopes: (a) => [Math.exp(a)] },
  log: { value: Math.log, slopes: (a) => [1 / a] },
  tanh: { value: Math.tanh, slopes: (a) => [1 - Math.tanh(a) ** 2] },
  sigmoid: { value: logistic, slopes: (a) => [logistic(a) * (1 - logistic(a))] },
  relu: { value: (a) => Math.max(a, 0), slopes: (a) => [a > 0 ? 1 : 0] },
  sin: { value: Math.sin, slopes: (a) => [Math.cos(a)] },
  cos: { value: Math.cos, slopes: (a) => [-Math.sin(a)] },
  sqrt: { value: Math.sqrt, slopes: (a) => [0.5 / Math.sqrt(a)] },
};
for (const [name, operation] of Object.entries(FUNCTIONS)) {
  OPERATIONS[name] = { ...operation, write: (...parts) => `${name}(${parts.join(", ")})` };
}
const arity = (name) => (name === "max" || name === "min" ? 2 : 1);

/** Cut an expression into tokens `{ kind, text, at }`; the kinds are number, name and sign. */
function tokenize(source, words) {
  const pattern =
    /\s*(?:(\d+\.?\d*(?:[eE][+-]?\d+)?|\.\d+(?:[eE][+-]?\d+)?)|([A-Za-z_][A-Za-z_0-9]*)|(\*\*|[-+*/^(),])|(\S))/gy;
  const same = { "**": "^" };
  const plain = source.replace(/[−–]/g, "-").replace(/[·×]/g, "*");
  const tokens = [];
  for (const match of plain.matchAll(pattern)) {
    const [, number, name, sign, other] = match,
      text = number ?? name ?? sign ?? other;
    const at = match.index + match[0].length - text.length;
    if (other) fail(words.character(other), at);
    tokens.push({ kind: number ? "number" : name ? "name" : "sign", text: same[text] ?? text, at });
  }
  return tokens;
}

function fail(message, at) {
  throw Object.assign(new Error(message), { at });
}

/**
 * Read an expression as a graph. Each input is one node however often it is used; parts without inputs are numbers.
 *
 * @param {string} source such as "x*y + max(z, 2)".
 * @returns {{nodes: object[], inputs: string[]}} nodes in topological order, the result last; a node is
 *   `{ op, name, args }`, where an argument is `{ node: index }` or `{ constant: number }`, and an input has op "input".
 * @throws {Error} with the place of the mistake, counted in characters, in `at`.
 */
export function parse(source, words = strings.en.error) {
  const tokens = tokenize(source, words),
    nodes = [];
  let next = 0;
  const end = source.trimEnd().length;
  const peek = (text) => tokens[next]?.kind === "sign" && tokens[next].text === text;
  const take = (...signs) => (signs.some(peek) ? tokens[next++].text : null);
  const place = () => tokens[next]?.at ?? end;

  function operate(op, ...args) {
    if (args.every((argument) => "constant" in argument)) {
      return { constant: OPERATIONS[op].value(...args.map((argument) => argument.constant)) };
    }
    nodes.push({ op, args });
    return { node: nodes.length - 1 };
  }
  function input(name) {
    let index = nodes.findIndex((node) => node.name === name);
    if (index < 0) index = nodes.push({ op: "input", name, args: [] }) - 1;
    return { node: index };
  }
  function sum() {
    let left = product();
    for (let sign; (sign = take("+", "-"));) left = operate(sign, left, product());
    return left;
  }
  function product() {
    let left = unary();
    for (let sign; (sign = take("*", "/"));) left = operate(sign, left, unary());
    return left;
  }
  function unary() {
    if (take("+")) return unary();
    return take("-") ? operate("neg", unary()) : raised();
  }
  function raised() {
    const base = atom();
    return take("^") ? operate("^", base, unary()) : base;
  }
  function closing() {
    if (!take(")")) {
      const missing = tokens[next];
      if (missing && (missing.kind !== "sign" || missing.text === "(")) fail(words.operator(missing.text), missing.at);
      fail(words.close(missing?.text), place());
    }
  }
  function atom() {
    const token = tokens[next];
    if (!token || (token.kind === "sign" && token.text !== "(")) fail(words.argument(token?.text), place());
    next++;
    if (token.kind === "number") return { constant: Number(token.text) };
    if (token.text === "(") {
      const inside = sum();
      closing();
      return inside;
    }
    if (!Object.hasOwn(FUNCTIONS, token.text)) {
      if (peek("(")) fail(words.unknown(token.text), token.at);
      if (token.text === "f") fail(words.name, token.at);
      if (token.text.length > 6) fail(words.long(token.text), token.at);
      return input(token.text);
    }
    if (!take("(")) fail(words.open(token.text), token.at);
    const args = peek(")") ? [] : [sum()];
    while (take(",")) args.push(sum());
    closing();
    if (args.length !== arity(token.text)) fail(words.arity(token.text, arity(token.text), args.length), token.at);
    return operate(token.text, ...args);
  }

  if (!tokens.length) fail(words.empty, 0);
  const result = sum();
  if (next < tokens.length) fail(peek(")") ? words.extra : words.operator(tokens[next].text), place());
  if (!("node" in result)) fail(words.constant, 0);
  if (nodes.length > MOST) fail(words.size(nodes.length, MOST), 0);
  if (nodes[result.node].op === "input" && nodes.length > 1) fail(words.constant, 0);
  return { nodes, inputs: nodes.filter((node) => node.op === "input").map((node) => node.name) };
}

/** Forward pass: the value of every node, from the inputs by name. */
export function forward(graph, inputs) {
  const values = [];
  for (const node of graph.nodes)
    values.push(node.op === "input" ? inputs[node.name] : OPERATIONS[node.op].value(...facts(node, values)));
  return values;
}

const facts = (node, values) => node.args.map((argument) => argument.constant ?? values[argument.node]);

/**
 * Backward pass.
 *
 * @returns {{edges: object[], gradients: number[]}} the edges in the order in which the pass takes them, each
 *   `{ from, to, upstream, local, share }`: node `from` sends `share = upstream * local` to its argument `to`.
 */
export function backward(graph, values) {
  const gradients = graph.nodes.map(() => 0),
    edges = [];
  gradients[gradients.length - 1] = 1;
  for (let from = graph.nodes.length - 1; from >= 0; from--) {
    const node = graph.nodes[from];
    const slopes = node.op === "input" ? [] : OPERATIONS[node.op].slopes(...facts(node, values));
    node.args.forEach(({ node: to }, i) => {
      if (to === undefined) return;
      const upstream = gradients[from],
        share = upstream * slopes[i];
      gradients[to] += share;
      edges.push({ from, to, upstream, local: slopes[i], share });
    });
  }
  return { edges, gradients };
}

/** The central difference of f for each input, by name: two forward passes each. */
export function differences(graph, inputs) {
  const result = (name, value) => forward(graph, { ...inputs, [name]: value }).at(-1);
  return Object.fromEntries(
    graph.inputs.map((name) => {
      const h = 1e-5 * Math.max(1, Math.abs(inputs[name])),
        above = inputs[name] + h,
        below = inputs[name] - h;
      return [name, (result(name, above) - result(name, below)) / (above - below)];
    }),
  );
}

// --------------------------------------------------------------------------------------------------------- layout

/**
 * Layers by depth, an input next to its first use, few crossings. An edge that skips layers gets a way point in each.
 *
 * @returns {{layers: Array<Array>, routes: Array<Array>}} the items of each layer in order (a node's index, or a way
 *   point as a string), and for each edge, in the order of `backward`, its items from argument to result.
 */
export function arrange(graph) {
  const { nodes } = graph,
    depth = [];
  nodes.forEach((node, i) => (depth[i] = 1 + Math.max(-1, ...node.args.map((argument) => depth[argument.node] ?? -1))));
  nodes.forEach((node, i) => {
    const users = nodes.flatMap((other, j) => (other.args.some((argument) => argument.node === i) ? [depth[j]] : []));
    if (node.op === "input" && users.length) depth[i] = Math.min(...users) - 1;
  });
  const layers = Array.from({ length: Math.max(...depth) + 1 }, () => []);
  nodes.forEach((_, i) => layers[depth[i]].push(i));
  const routes = backward(
    graph,
    nodes.map(() => 1),
  ).edges.map(({ from, to }, e) => {
    const route = [to];
    for (let layer = depth[to] + 1; layer < depth[from]; layer++) {
      layers[layer].push(`${e}/${layer}`);
      route.push(`${e}/${layer}`);
    }
    return [...route, from];
  });

  const links = routes.flatMap((route) => route.slice(1).map((item, i) => [route[i], item]));
  const crossings = () => {
    let count = 0;
    const rank = new Map(layers.flatMap((layer, l) => layer.map((item, i) => [item, [l, i]])));
    links.forEach(([a, b], i) =>
      links.slice(i + 1).forEach(([c, d]) => {
        const [[l, pa], [, pb], [m, pc], [, pd]] = [a, b, c, d].map((item) => rank.get(item));
        if (l === m && (pa - pc) * (pb - pd) < 0) count++;
      }),
    );
    return count;
  };
  let best = layers.map((layer) => [...layer]),
    fewest = crossings();
  for (let sweep = 0; sweep < 12 && fewest; sweep++) {
    const down = sweep % 2 === 0;
    const order = [...layers.keys()];
    for (const l of down ? order.slice(1) : order.reverse().slice(1)) {
      const fixed = layers[down ? l - 1 : l + 1],
        layer = layers[l];
      const wish = new Map(
        layer.map((item, i) => {
          const near = links.flatMap(([a, b]) =>
            down ? (b === item ? [fixed.indexOf(a)] : []) : a === item ? [fixed.indexOf(b)] : [],
          );
          return [item, near.length ? near.reduce((x, y) => x + y) / near.length : i];
        }),
      );
      layer.sort((a, b) => wish.get(a) - wish.get(b));
    }
    const now = crossings();
    if (now < fewest) [best, fewest] = [layers.map((layer) => [...layer]), now];
  }
  return { layers: best, routes };
}

/** Places along one axis, in order and at least `apart` from each other, that are closest to what is wished for. */
export function spread(wishes, apart) {
  const offsets = [0];
  apart.forEach((gap) => offsets.push(offsets.at(-1) + gap));
  const blocks = [];
  wishes.forEach((wish, i) => {
    blocks.push({ mean: wish - offsets[i], size: 1 });
    while (blocks.length > 1 && blocks.at(-2).mean > blocks.at(-1).mean) {
      const b = blocks.pop(),
        a = blocks.pop(),
        size = a.size + b.size;
      blocks.push({ mean: (a.mean * a.size + b.mean * b.size) / size, size });
    }
  });
  return blocks.flatMap((block) => Array(block.size).fill(block.mean)).map((place, i) => place + offsets[i]);
}

const HEIGHT = 40,
  ROOM = 19; // of a box; for the number above it, and for the one below

/** Centers, in units of the drawing, of all items, when layers run to the right or down. */
function place(layout, widths, down, width) {
  const { layers, routes } = layout;
  const wide = (item) => (typeof item === "number" ? widths[item] : down ? 16 : 10);
  const tall = (item) => (typeof item === "number" ? HEIGHT + 2 * ROOM : 26);
  const free = Math.min(
    ...layers.map((layer) => (width - 12 - layer.reduce((sum, item) => sum + wide(item), 0)) / layer.length),
  );
  const across = layers.map((layer) =>
    layer
      .slice(1)
      .map((item, i) =>
        down ? (wide(item) + wide(layer[i])) / 2 + clamp(free, 16, 44) : (tall(item) + tall(layer[i])) / 2 + 8,
      ),
  );
  const near = new Map(layers.flat().map((item) => [item, []]));
  for (const route of routes) {
    route.slice(1).forEach((item, i) => {
      near.get(item).push(route[i]);
      near.get(route[i]).push(item);
    });
  }
  const position = new Map();
  layers.forEach((layer, l) =>
    spread(
      layer.map((_, i) => i),
      across[l],
    ).forEach((p, i) => position.set(layer[i], p)),
  );
  for (let sweep = 0; sweep < 16; sweep++) {
    for (const l of sweep % 2 ? [...layers.keys()].reverse() : layers.keys()) {
      const wishes = layers[l].map((item) => {
        const others = near.get(item).map((other) => position.get(other));
        return others.length ? others.reduce((a, b) => a + b) / others.length : position.get(item);
      });
      spread(wishes, across[l]).forEach((p, i) => position.set(layers[l][i], p));
    }
  }

  const sizes = layers.map((layer) => Math.max(...layer.map(down ? tall : wide)));
  const total = sizes.reduce((a, b) => a + b),
    gaps = layers.length - 1;
  const start = down ? 6 : 30; // room for the numbers of the first layer, which may be wider than its boxes
  const gap = down ? 52 : clamp((width - start - 12 - total) / Math.max(1, gaps), 92, 150);
  const low = Math.min(...layers.flat().map((item) => position.get(item) - (down ? wide(item) : tall(item)) / 2));
  const high = Math.max(...layers.flat().map((item) => position.get(item) + (down ? wide(item) : tall(item)) / 2));
  const margin = down ? Math.max(6, (width - (high - low)) / 2) : 2;
  const centers = new Map();
  let edge = start;
  layers.forEach((layer, l) => {
    for (const item of layer) {
      const one = edge + sizes[l] / 2,
        other = position.get(item) - low + margin;
      centers.set(item, down ? [other, one] : [one, other]);
    }
    edge += sizes[l] + gap;
  });
  const long = edge - gap + 12,
    broad = high - low + 2 * margin;
  return { centers, width: down ? broad : Math.max(long, 120), height: down ? long : broad };
}

/** Points along an edge, from argument to result: cubic pieces that leave and arrive along the layers' direction. */
function trace(points, down) {
  const samples = [];
  for (let i = 1; i < points.length; i++) {
    const [p, q] = [points[i - 1], points[i]],
      half = (down ? q[1] - p[1] : q[0] - p[0]) / 2;
    const c = down ? [p[0], p[1] + half] : [p[0] + half, p[1]],
      d = down ? [q[0], q[1] - half] : [q[0] - half, q[1]];
    for (let k = samples.length ? 1 : 0; k <= 20; k++) {
      const t = k / 20,
        s = 1 - t;
      samples.push(
        [0, 1].map((axis) => s ** 3 * p[axis] + 3 * s * s * t * c[axis] + 3 * s * t * t * d[axis] + t ** 3 * q[axis]),
      );
    }
  }
  return samples;
}

const overlap = (a, b) =>
  Math.max(0, Math.min(a[2], b[2]) - Math.max(a[0], b[0])) * Math.max(0, Math.min(a[3], b[3]) - Math.max(a[1], b[1]));
const around = ([x, y], width, height) => [x - width / 2, y - height / 2, x + width / 2, y + height / 2];

// --------------------------------------------------------------------------------------------------------- figure

const subscripts = (name) =>
  name.replace(/\d+$/, (digits) => [...digits].map((digit) => "₀₁₂₃₄₅₆₇₈₉"[+digit]).join(""));
const number = (x) => format(x, 4);
const inProduct = (x, digits = 4) => (x < 0 ? `(${format(x, digits)})` : format(x, digits));
const FIRST = [1, 2, -1, 3, -2, 0.5]; // values of inputs that appear for the first time

function create(root, host) {
  const { text } = host;
  const remembered = { ...host.props.values };
  let source = host.props.expression,
    graph,
    names,
    layout,
    drawn,
    drawing,
    rows,
    step = 0;

  // Controls
  const field = html("input", {
    type: "text",
    class: "nn-expression",
    value: source,
    "aria-label": text.expressionLabel,
    autocomplete: "off",
    autocapitalize: "none",
    spellcheck: "false",
    oninput: () => edit(field.value),
  });
  const problem = html("div", { class: "nn-problem", role: "status" });
  const samples = choice({
    label: text.examples,
    value: "routes",
    options: [...Object.keys(EXAMPLES).map((name) => [name, text.samples[name]]), ["own", text.own]],
    onchange: (name) => {
      if (name !== "own") open(EXAMPLES[name].expression, EXAMPLES[name].values);
    },
  });
  const play = player(host, {
    rate: () => 1.25,
    step: () => {
      if (step >= last()) step = 0;
      else step++;
      update(true);
      return step < last();
    },
  });
  const scrub = slider({
    label: text.progress,
    max: 1,
    value: 0,
    show: (x) => `${x}/${graph ? last() : 1}`,
    oninput: (x) => {
      play.pause();
      step = x;
      update();
      host.changed();
    },
  });
  const board = html("div", { class: "nn-wide", tabindex: 0, role: "region", "aria-label": text.graph });
  const line = html("p", { class: "nn-happened" });
  const table = html("table", { "aria-label": text.table });
  root.append(
    html(
      "div",
      { class: "nn-row" },
      html("label", { class: "nn-formula" }, html("i", {}, text.expression), field),
      samples.node,
    ),
    problem,
    row(...play.nodes, scrub),
    board,
    line,
    table,
    html("p", { class: "nn-note" }, `${text.key} ${text.rules}`),
  );

  // What is known at the present inputs
  const inputs = () => Object.fromEntries(graph.inputs.map((name) => [name, remembered[name]]));
  const operations = () => graph.nodes.filter((node) => node.op !== "input").length;
  const edges = () =>
    graph.nodes.reduce((count, node) => count + node.args.filter((argument) => "node" in argument).length, 0);
  const last = () => operations() + 1 + edges();
  const formula = (node) =>
    OPERATIONS[node.op].write(
      ...node.args.map((argument) =>
        argument.node === undefined ? inProduct(argument.constant) : names[argument.node],
      ),
    );

  function edit(written, values) {
    try {
      const read = parse(written, text.error);
      accept(written, read, values);
      problem.replaceChildren();
      field.removeAttribute("aria-invalid");
      step = operations() + 1;
      relayout();
      host.changed();
    } catch (error) {
      if (error.at === undefined) throw error;
      play.pause();
      field.setAttribute("aria-invalid", "true");
      problem.replaceChildren(
        html(
          "code",
          {},
          `${written.slice(0, error.at)}`,
          html("mark", {}, written.slice(error.at, error.at + 1) || " "),
          written.slice(error.at + 1),
        ),
        ` ${error.message}`,
      );
    }
  }

  function open(written, values) {
    field.value = written;
    edit(written, values);
  }

  function accept(written, read, values = {}) {
    Object.assign(remembered, values);
    read.inputs.forEach((name, i) => (remembered[name] ??= FIRST[i % FIRST.length]));
    [source, graph] = [written, read];
    let count = 0;
    names = graph.nodes.map((node, i) =>
      node.op === "input"
        ? subscripts(node.name)
        : i === graph.nodes.length - 1
          ? "f"
          : `v${subscripts(String((count += 1)))}`,
    );
    const known = Object.entries(EXAMPLES).find(([, example]) => example.expression === written);
    samples.value = known ? known[0] : "own";
    play.pause();
  }

  // Drawing
  function relayout() {
    layout = arrange(graph);
    draw();
    fillTable();
    update();
  }

  function draw() {
    const width = board.clientWidth || 700,
      down = width < 560;
    const lines = graph.nodes.map((node, i) => (node.op === "input" ? [names[i]] : [names[i], formula(node)]));
    const widths = lines.map((words) => Math.max(40, ...words.map((word) => 7 * word.length + 14)));
    const { centers, width: w, height: h } = place(layout, widths, down, width);
    drawing = { centers, widths, boxes: [], edges: [], width };
    const back = svg("g"),
      front = svg("g"),
      labels = svg("g");
    const svgNode = svg(
      "svg",
      {
        viewBox: `0 0 ${w.toFixed(1)} ${h.toFixed(1)}`,
        style: `min-width: ${Math.ceil(w * 0.88)}px; max-width: ${Math.ceil(w * 1.1)}px; margin-inline: auto`,
      },
      back,
      front,
      labels,
    );

    // Where edges touch a box: spread a little, in the order of what is at their other ends.
    const axis = down ? 0 : 1;
    const touch = (item, pick, other) => {
      const there = layout.routes.flatMap((route, e) => (pick(route) === item ? [e] : []));
      there.sort(
        (a, b) => centers.get(other(layout.routes[a]))[axis] - centers.get(other(layout.routes[b]))[axis] || a - b,
      );
      return new Map(there.map((e, i) => [e, (i - (there.length - 1) / 2) * Math.min(12, 28 / there.length)]));
    };
    const atEnd = new Map(
      graph.nodes.map((_, i) => [
        i,
        touch(
          i,
          (route) => route.at(-1),
          (route) => route.at(-2),
        ),
      ]),
    );
    const atStart = new Map(
      graph.nodes.map((_, i) => [
        i,
        touch(
          i,
          (route) => route[0],
          (route) => route[1],
        ),
      ]),
    );
    layout.routes.forEach((route, e) => {
      const points = route.map((item, i) => {
        const [x, y] = centers.get(item),
          first = i === 0;
        if (typeof item === "string") return [x, y];
        const shift = (first ? atStart : atEnd).get(item).get(e),
          side = first ? 1 : -1;
        return down ? [x + shift, y + side * (HEIGHT / 2 + ROOM)] : [x + side * (widths[item] / 2 + 2), y + shift];
      });
      const samplesOf = trace(points, down),
        [start, end] = [points[0], points.at(-1)];
      const d = `M${samplesOf.map(([x, y]) => `${x.toFixed(1)} ${y.toFixed(1)}`).join("L")}`;
      const tip = ([x, y], sign) => (down ? `M${x} ${y}l-4 ${-8 * sign}h8z` : `M${x} ${y}l${-8 * sign} -4v8z`);
      // Downward an edge starts below the gradient; until there is one, a stub joins it to the box.
      const stub = down
        ? svg("path", { d: `M${start[0]} ${start[1]}V${start[1] - ROOM}`, class: "nn-edge-line nn-stub" })
        : null;
      const node = svg(
        "g",
        {},
        stub,
        svg("path", { d, class: "nn-edge-line" }),
        svg("path", { d: tip(end, 1), class: "nn-tip" }),
        svg("path", { d: tip(start, -1), class: "nn-tip nn-tip-back" }),
        svg("title"),
      );
      const label = svg("text", { "text-anchor": "middle", class: "nn-share" });
      back.append(node);
      labels.append(label);
      drawing.edges.push({ node, label, samples: samplesOf });
    });
    graph.nodes.forEach((node, i) => {
      const [x, y] = centers.get(i),
        wide = widths[i];
      const value = svg("text", { x, y: y - HEIGHT / 2 - 6, "text-anchor": "middle", class: "nn-of-value" });
      const gradient = svg("text", {
        x,
        y: y + HEIGHT / 2 + 15,
        "text-anchor": "middle",
        class: "nn-of-gradient nn-orange nn-fill",
      });
      const box = svg(
        "g",
        { class: node.op === "input" ? "nn-box nn-input" : "nn-box" },
        svg("rect", {
          x: x - wide / 2,
          y: y - HEIGHT / 2,
          width: wide,
          height: HEIGHT,
          rx: node.op === "input" ? 20 : 5,
        }),
        ...lines[i].map((words, k) =>
          svg(
            "text",
            {
              x,
              y: y + (lines[i].length === 1 ? 5 : k ? 14 : -3),
              "text-anchor": "middle",
              class: k ? null : "nn-name",
            },
            words,
          ),
        ),
      );
      if (node.op === "input") draggable(box, node.name);
      front.append(box, value, gradient);
      drawing.boxes.push({ node: box, value, gradient });
    });
    board.replaceChildren(svgNode);
    drawing.dot = svg("circle", { r: 6, class: "nn-traveler" });
    labels.append(drawing.dot);
  }

  function draggable(node, name) {
    set(node, {
      tabindex: 0,
      role: "slider",
      "aria-label": text.drag(subscripts(name)),
      "aria-valuemin": -100,
      "aria-valuemax": 100,
    });
    let from = null;
    node.addEventListener("touchstart", (event) => event.preventDefault(), { passive: false }); // drag, do not scroll
    node.addEventListener("pointerdown", (event) => {
      event.preventDefault();
      node.focus();
      node.setPointerCapture(event.pointerId);
      from = [event.clientX, remembered[name]];
    });
    node.addEventListener("pointermove", (event) => {
      if (from && node.hasPointerCapture(event.pointerId))
        change(name, Math.round(from[1] * 10 + (event.clientX - from[0]) / 5) / 10);
    });
    for (const end of ["pointerup", "pointercancel"]) node.addEventListener(end, () => (from = null));
    node.addEventListener("keydown", (event) => {
      const way = { ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1 }[event.key];
      if (!way) return;
      event.preventDefault();
      change(name, Math.round((remembered[name] + way * (event.shiftKey ? 1 : 0.1)) * 1e6) / 1e6);
    });
  }

  function change(name, value) {
    remembered[name] = clamp(value, -100, 100);
    update();
    host.say(text.say(name, number(remembered[name]), number(drawn.values.at(-1))));
    host.changed();
  }

  function fillTable() {
    const heads = [text.input, text.value, text.gradient, text.difference];
    const body = html("tbody");
    table.replaceChildren(
      html("thead", {}, html("tr", {}, ...heads.map((head) => html("th", { scope: "col" }, head)))),
      body,
    );
    rows = graph.inputs.map((name) => {
      const value = html("input", {
        type: "number",
        step: 0.1,
        "aria-label": text.valueOf(name),
        oninput: () => {
          if (value.value !== "" && Number.isFinite(+value.value)) change(name, +value.value);
        },
      });
      const gradient = html("td", { class: "nn-orange" }),
        difference = html("td");
      body.append(
        html(
          "tr",
          {},
          html("th", { scope: "row" }, html("i", {}, subscripts(name))),
          html("td", {}, value),
          gradient,
          difference,
        ),
      );
      return { name, value, gradient, difference };
    });
  }

  function update(stepped = false) {
    const values = forward(graph, inputs()),
      { edges: shares } = backward(graph, values),
      count = operations();
    drawn = { values };
    step = clamp(step, 0, last());
    const sent = step - count - 1; // edges that have carried a gradient
    const partial = graph.nodes.map(() => []);
    if (sent >= 0) partial[partial.length - 1].push(1);
    shares.slice(0, Math.max(0, sent)).forEach((edge) => partial[edge.to].push(edge.share));
    const wanted = graph.nodes.map((_, i) =>
      i === graph.nodes.length - 1 ? 1 : shares.filter((edge) => edge.to === i).length,
    );
    const total = (parts) => parts.reduce((a, b) => a + b, 0);

    let computed = 0;
    graph.nodes.forEach((node, i) => {
      const known = node.op === "input" || (computed += 1) <= step,
        box = drawing.boxes[i],
        parts = partial[i];
      box.value.textContent = known ? number(values[i]) : "";
      const missing = parts.length && parts.length < wanted[i];
      const written = parts
        .map((part, k) => (k && part < 0 ? `− ${number(-part)}` : k ? `+ ${number(part)}` : number(part)))
        .join(" ");
      const sum =
        parts.length > 1 && written.length < 18 ? `${written} = ${number(total(parts))}` : number(total(parts));
      box.gradient.textContent = !parts.length
        ? ""
        : missing
          ? `${parts.length > 1 ? written : number(parts[0])} + …`
          : sum;
      box.node.classList.toggle("nn-now", node.op !== "input" && known && computed === step);
      box.node.classList.toggle("nn-final", i === graph.nodes.length - 1);
      if (node.op === "input")
        set(box.node, { "aria-valuenow": remembered[node.name], "aria-valuetext": number(remembered[node.name]) });
    });
    drawing.edges.forEach((edge, e) => {
      edge.node.classList.toggle("nn-carried", e < sent);
      edge.node.classList.toggle("nn-current", e === sent - 1);
      edge.node.classList.toggle("nn-silent", e < sent && shares[e].share === 0);
      edge.label.classList.toggle("nn-current", e === sent - 1);
    });
    rows.forEach((entry) => {
      const i = graph.nodes.findIndex((node) => node.name === entry.name),
        complete = partial[i].length === wanted[i] && sent >= 0;
      if (document.activeElement !== entry.value || +entry.value.value !== remembered[entry.name])
        entry.value.value = remembered[entry.name];
      entry.gradient.textContent = complete ? number(total(partial[i])) : text.pending;
      entry.difference.textContent = step >= count ? number(differences(graph, inputs())[entry.name]) : text.pending;
    });
    writeShares(shares, sent);
    scrub.node.querySelector("input").max = last();
    scrub.value = step;
    line.textContent = sentence(values, shares, sent, partial, wanted, total);
    if (stepped) {
      host.say(line.textContent);
      if (sent > 0) travel(drawing.edges[sent - 1].samples);
    } else drawing.dot.setAttribute("visibility", "hidden");
  }

  /** Upstream times local beside each edge that has carried a gradient, where there is room for it. */
  function writeShares(shares, sent) {
    const { centers, widths } = drawing;
    const taken = graph.nodes.map((_, i) => around(centers.get(i), Math.max(widths[i], 46), HEIGHT + 2 * ROOM));
    const order = shares.map((_, e) => e).sort((a, b) => (b === sent - 1) - (a === sent - 1)); // the present one first
    for (const e of order) {
      const { label, samples: along, node } = drawing.edges[e],
        { upstream, local, share } = shares[e];
      const lines = [`${format(upstream)} × ${inProduct(local, 3)}`, `= ${format(share)}`];
      node.querySelector("title").textContent = e < sent ? lines.join(" ") : "";
      label.replaceChildren();
      if (e >= sent) continue;
      const size = [6.4 * Math.max(...lines.map((words) => words.length)) + 2, 27];
      let best = null;
      for (const t of [0.5, 0.42, 0.58, 0.34, 0.66, 0.26, 0.74, 0.18, 0.82]) {
        const center = along[Math.round(t * (along.length - 1))],
          box = around(center, ...size);
        const cost = taken.reduce((sum, other) => sum + overlap(box, other), 0);
        if (!best || cost < best.cost - 1) best = { cost, center, box };
      }
      if (best.cost > 90 && e !== sent - 1) continue; // no room: the edge says it when it is pointed at
      taken.push(best.box);
      const [x, y] = best.center;
      label.append(svg("tspan", { x, y: y - 2 }, lines[0]), svg("tspan", { x, y: y + 11 }, lines[1]));
    }
  }

  function sentence(values, shares, sent, partial, wanted, total) {
    if (step === 0) return text.start;
    const bad = graph.nodes.findIndex((_, i) => !Number.isFinite(values[i]));
    if (bad >= 0 && step >= operations()) return text.undefinedValue(names[bad], formula(graph.nodes[bad]));
    if (sent < 0) {
      const i = graph.nodes.map((node, k) => (node.op === "input" ? -1 : k)).filter((k) => k >= 0)[step - 1];
      const node = graph.nodes[i];
      const numbers = OPERATIONS[node.op].write(...facts(node, values).map((x) => inProduct(x)));
      return text.computes(names[i], formula(node), numbers, number(values[i]));
    }
    if (sent === 0) return text.seed(number(values.at(-1)));
    const { from, to, upstream, local, share } = shares[sent - 1];
    const sends = text.sends(names[from], names[to], number(upstream), inProduct(local), number(share));
    if (step < last()) {
      if (wanted[to] < 2) return sends;
      return (
        sends +
        (partial[to].length < wanted[to] ? text.waits(names[to]) : text.added(names[to], number(total(partial[to]))))
      );
    }
    const numerical = differences(graph, inputs());
    const apart = Math.max(
      ...graph.inputs.map((name) =>
        Math.abs(total(partial[graph.nodes.findIndex((node) => node.name === name)]) - numerical[name]),
      ),
    );
    return text.done(number(values.at(-1)), format(apart, 2)) + kinks(values, apart);
  }

  function kinks(values, apart) {
    if (apart < 1e-3) return "";
    const found = graph.nodes.flatMap((node, i) => {
      const [a, b] = facts(node, values);
      if ((node.op === "max" || node.op === "min") && a === b) return [text.tie(names[i], node.op)];
      return node.op === "relu" && a === 0 ? [text.corner(names[i])] : [];
    });
    return found.length ? text.kink(found.join(", ")) : "";
  }

  function travel(along) {
    if (matchMedia("(prefers-reduced-motion: reduce)").matches) return;
    const begin = performance.now(),
      { dot } = drawing;
    const move = (now) => {
      const t = clamp((now - begin) / 500, 0, 1),
        [x, y] = along[Math.round((1 - t) * (along.length - 1))];
      set(dot, { cx: x, cy: y, visibility: t < 1 ? "visible" : "hidden" });
      if (t < 1 && dot.isConnected) requestAnimationFrame(move);
    };
    requestAnimationFrame(move);
  }

  accept(source, parse(source, text.error), host.props.values);
  step = host.still ? last() : operations() + 1;
  relayout();
  const watch = new ResizeObserver(() => {
    if (board.clientWidth && board.clientWidth !== drawing.width) {
      draw();
      update();
    }
  });
  watch.observe(board);
  host.cleanup(() => watch.disconnect());

  return {
    state: () => ({ expression: source, values: inputs(), step }),
    set(state) {
      const read = parse(state.expression, text.error);
      if (!read.inputs.every((name) => Number.isFinite(state.values[name])) || !Number.isInteger(state.step))
        throw new Error("not a state of backprop_graph");
      accept(state.expression, read, state.values);
      field.value = source;
      problem.replaceChildren();
      step = state.step;
      relayout();
    },
  };
}

export const { mount, render } = figure({ name: "backprop_graph", defaults, strings, create });
export default { render };
