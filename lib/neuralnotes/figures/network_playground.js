import { button, choice, clamp, diverging, figure, fixed, format, handle, heat, html, palette, path, player, plot, random, row, set, slider, svg } from "./kit.js";

export const defaults = {
  data: "spirals", noise: 0.1, points: 240, layers: 2, width: 8, activation: "tanh",
  optimizer: "adamw", rate: 0.01, batch: 16, dropout: 0, decay: 0, seed: 1, epochs: 10, more: false,
};

const strings = {
  en: {
    data: "Data",
    sets: { spirals: "three spiral arms", moons: "two moons", circles: "two circles", xor: "XOR", blobs: "three clouds" },
    noise: "Noise",
    points: "Training points",
    layers: "Hidden layers",
    width: "Units in each",
    activation: "Activation",
    activations: { tanh: "tanh", relu: "ReLU", sigmoid: "sigmoid", identity: "none (linear)" },
    optimizer: "Optimizer",
    optimizers: { adamw: "AdamW", sgd: "SGD + momentum" },
    rate: "Learning rate",
    batch: "Batch size",
    dropout: "Dropout",
    decay: "Weight decay",
    step: "One epoch",
    weights: "New weights",
    more: "More settings: noise, training points, optimizer, dropout, weight decay",
    plane: "The plane of the data: what the network answers at each place, and the points",
    losses: "Loss on the training points and on the test points after each epoch, on a logarithmic axis",
    filled: "filled: training   hollow: test   cross: drag it",
    unit: (k, layer) => `Unit ${k} of hidden layer ${layer}`,
    units: (layer) => `What each unit of hidden layer ${layer} computes. Point at one to see it large.`,
    none: "No hidden layer: the network is linear in the inputs.",
    probe: "A place in the plane",
    answer: (place, parts) => `At (${place}) the network says ${parts}.`,
    classes: ["disk", "triangle", "square"],
    epoch: "epoch",
    loss: "loss",
    training: "training",
    test: "test",
    summary: (epoch, parameters, [train, right], [test, rightTest]) => `Epoch ${epoch}, ${parameters} parameters. Training loss ${train}, ${right} right; test loss ${test}, ${rightTest} right.`,
    fresh: "Fresh random weights: press Play.",
    gap: "The test loss is far above the training loss: the network has fitted its points, noise included.",
    diverged: "The loss is not finite any more: the steps are too large. Take new weights and a smaller learning rate.",
  },
};

// ---------------------------------------------------------------------------------------------------- mathematics

const SIDE = 2.6;

/** Points of a data set (x, y after each other) with their labels, in random order. */
const SETS = {
  spirals: (k, r) => {
    const radius = Math.sqrt(0.01 + 0.99 * r.uniform()), angle = 2 * Math.PI * (0.75 * radius + k / 3);
    return [2.2 * radius * Math.cos(angle), 2.2 * radius * Math.sin(angle)];
  },
  moons: (k, r) => {
    const angle = Math.PI * r.uniform(), [a, b] = [Math.cos(angle), Math.sin(angle)];
    return k ? [1.4 * (0.5 - a), 1.4 * (0.25 - b)] : [1.4 * (a - 0.5), 1.4 * (b - 0.25)];
  },
  circles: (k, r) => {
    const angle = 2 * Math.PI * r.uniform(), radius = k ? 1 : 2;
    return [radius * Math.cos(angle), radius * Math.sin(angle)];
  },
  xor: (k, r) => {
    const a = 0.15 + 1.85 * r.uniform(), b = 0.15 + 1.85 * r.uniform(), sign = r.uniform() < 0.5 ? 1 : -1;
    return [sign * a, (k ? -sign : sign) * b];
  },
  blobs: (k, r) => {
    const angle = 2 * Math.PI * (k / 3 + 0.08);
    return [1.3 * Math.cos(angle) + 0.4 * r.normal(), 1.3 * Math.sin(angle) + 0.4 * r.normal()];
  },
};

const classesOf = (name) => (name === "spirals" || name === "blobs" ? 3 : 2);

/** n seeded points of a data set: x of length 2n, labels y, as many of each class as can be. */
export function makeData(name, n, noise, seed) {
  const r = random(seed), classes = classesOf(name), x = new Float64Array(2 * n), y = new Uint8Array(n);
  const labels = r.shuffle(Array.from({ length: n }, (_, i) => i % classes));
  labels.forEach((label, i) => {
    const [a, b] = SETS[name](label, r);
    y[i] = label;
    x[2 * i] = a + noise * r.normal();
    x[2 * i + 1] = b + noise * r.normal();
  });
  return { x, y, n, classes };
}

/** A network with layers of these sizes; theta holds, layer by layer, the weights (outputs × inputs), then the biases. */
export function makeNetwork(sizes, activation, seed, given) {
  const layers = [];
  let count = 0;
  for (let l = 1; l < sizes.length; l++) {
    layers.push({ inputs: sizes[l - 1], outputs: sizes[l], w: count, b: count + sizes[l] * sizes[l - 1] });
    count += sizes[l] * (sizes[l - 1] + 1);
  }
  const theta = new Float64Array(count), isWeight = new Uint8Array(count), r = random(seed);
  layers.forEach(({ inputs, outputs, w, b }, l) => {
    // He for ReLU, Glorot else; the last layer starts small, so that every class starts equal.
    const scale = l === layers.length - 1 ? 0.3 / Math.sqrt(inputs) : Math.sqrt(activation === "relu" ? 2 / inputs : 2 / (inputs + outputs));
    for (let i = w; i < b; i++) {
      theta[i] = scale * r.normal();
      isWeight[i] = 1;
    }
    if (l < layers.length - 1) for (let i = b; i < b + outputs; i++) theta[i] = 0.5 * r.normal();
  });
  if (given) theta.set(given);
  return { sizes, activation, layers, theta, isWeight, buffers: [] };
}

const ACTIVATIONS = {
  tanh: Math.tanh,
  relu: (a) => (a > 0 ? a : 0),
  sigmoid: (a) => 1 / (1 + Math.exp(-a)),
  identity: (a) => a,
};

// The slope from the activation itself.
const SLOPES = {
  tanh: (h) => 1 - h * h,
  relu: (h) => (h > 0 ? 1 : 0),
  sigmoid: (h) => h * (1 - h),
  identity: () => 1,
};

function room(net, key, size) {
  if (!(net.buffers[key]?.length >= size)) net.buffers[key] = new Float64Array(size);
  return net.buffers[key];
}

/**
 * The outputs of all layers for n points; the last are logits. `masks`, one array (n × outputs) for each hidden layer,
 * multiplies its outputs (dropout: 0 or 1 / (1 - p)). The arrays are used again by the next call.
 */
export function forward(net, x, n, masks) {
  const f = ACTIVATIONS[net.activation], { theta } = net, outputs = [];
  let h = x;
  net.layers.forEach(({ inputs, outputs: size, w, b }, l) => {
    const out = room(net, `h${l}`, n * size), hidden = l < net.layers.length - 1, mask = hidden && masks?.[l];
    for (let i = 0; i < n; i++) {
      for (let j = 0; j < size; j++) {
        let a = theta[b + j];
        for (let k = 0, at = w + j * inputs, from = i * inputs; k < inputs; k++) a += theta[at + k] * h[from + k];
        if (hidden) a = f(a);
        out[i * size + j] = mask ? a * mask[i * size + j] : a;
      }
    }
    outputs.push(out);
    h = out;
  });
  return outputs;
}

/** Turn the first n rows of logits into probabilities, in place. */
function softmaxRows(logits, n, classes) {
  for (let i = 0; i < n; i++) {
    let top = -Infinity, sum = 0;
    for (let k = i * classes; k < (i + 1) * classes; k++) top = Math.max(top, logits[k]);
    for (let k = i * classes; k < (i + 1) * classes; k++) sum += logits[k] = Math.exp(logits[k] - top);
    for (let k = i * classes; k < (i + 1) * classes; k++) logits[k] /= sum;
  }
  return logits;
}

/** The probabilities (n × classes) of n points; the array is used again by the next call. */
export const probabilities = (net, x, n) => softmaxRows(forward(net, x, n).at(-1), n, net.sizes.at(-1));

/** Mean cross entropy of n points, and the share that is right. */
export function measure(net, x, y, n) {
  const logits = forward(net, x, n).at(-1), classes = net.sizes.at(-1);
  let loss = 0, right = 0;
  for (let i = 0; i < n; i++) {
    let best = 0, sum = 0;
    for (let k = 1; k < classes; k++) if (logits[i * classes + k] > logits[i * classes + best]) best = k;
    const top = logits[i * classes + best];
    for (let k = 0; k < classes; k++) sum += Math.exp(logits[i * classes + k] - top);
    loss += top + Math.log(sum) - logits[i * classes + y[i]];
    right += best === y[i];
  }
  return { loss: loss / n, right: right / n };
}

/** The gradient of the mean cross entropy with respect to theta. */
export function gradient(net, x, y, n, masks) {
  const outputs = forward(net, x, n, masks), classes = net.sizes.at(-1), slope = SLOPES[net.activation], { theta } = net;
  const grad = room(net, "grad", theta.length).fill(0);
  let delta = softmaxRows(outputs.at(-1), n, classes);
  for (let i = 0; i < n; i++) {
    delta[i * classes + y[i]] -= 1;
    for (let k = 0; k < classes; k++) delta[i * classes + k] /= n;
  }
  for (let l = net.layers.length - 1; l >= 0; l--) {
    const { inputs, outputs: size, w, b } = net.layers[l], h = l ? outputs[l - 1] : x, mask = l ? masks?.[l - 1] : null;
    const before = l ? room(net, `d${l}`, n * inputs).fill(0) : null;
    for (let i = 0; i < n; i++) {
      for (let j = 0; j < size; j++) {
        const d = delta[i * size + j];
        if (d === 0) continue;
        grad[b + j] += d;
        for (let k = 0, at = w + j * inputs, from = i * inputs; k < inputs; k++) {
          grad[at + k] += d * h[from + k];
          if (before) before[from + k] += d * theta[at + k];
        }
      }
    }
    if (before) {
      for (let i = 0; i < n * inputs; i++) {
        const m = mask ? mask[i] : 1;
        before[i] *= m === 0 ? 0 : m * slope(h[i] / m);
      }
    }
    delta = before;
  }
  return grad;
}

/**
 * One step of the optimizer, in place. AdamW: every weight shrinks by rate · decay, then an Adam step. SGD: decay times
 * the weight joins the gradient, then momentum. Biases do not decay. `memory` is an object of the caller, {} at first.
 */
export function optimize(net, grad, memory, { optimizer, rate, decay }) {
  const { theta, isWeight } = net, size = theta.length;
  memory.m ??= new Float64Array(size);
  const m = memory.m;
  if (optimizer === "sgd") {
    for (let i = 0; i < size; i++) {
      m[i] = 0.9 * m[i] + grad[i] + (isWeight[i] ? decay * theta[i] : 0);
      theta[i] -= rate * m[i];
    }
    return;
  }
  memory.s ??= new Float64Array(size);
  memory.t = (memory.t ?? 0) + 1;
  const s = memory.s, first = 1 - 0.9 ** memory.t, second = 1 - 0.999 ** memory.t;
  for (let i = 0; i < size; i++) {
    m[i] = 0.9 * m[i] + 0.1 * grad[i];
    s[i] = 0.999 * s[i] + 0.001 * grad[i] * grad[i];
    if (isWeight[i]) theta[i] *= 1 - rate * decay;
    theta[i] -= rate * (m[i] / first) / (Math.sqrt(s[i] / second) + 1e-8);
  }
}

/** One epoch over the data in an order that seed and epoch decide. */
export function trainEpoch(net, { x, y, n }, memory, settings, epoch) {
  const r = random(settings.seed * 7919 + epoch), order = r.shuffle(Array.from({ length: n }, (_, i) => i));
  const { batch, dropout } = settings, hidden = net.sizes.slice(1, -1);
  for (let start = 0; start < n; start += batch) {
    const rows = order.slice(start, start + batch), size = rows.length;
    const xs = new Float64Array(2 * size), ys = rows.map((i) => y[i]);
    rows.forEach((i, k) => xs.set([x[2 * i], x[2 * i + 1]], 2 * k));
    const masks = dropout ? hidden.map((width) => Float64Array.from({ length: size * width }, () => (r.uniform() < dropout ? 0 : 1 / (1 - dropout)))) : null;
    optimize(net, gradient(net, xs, ys, size, masks), memory, settings);
  }
}

// ----------------------------------------------------------------------------------------------------- the state

const encode = (bytes) => btoa(String.fromCharCode(...bytes)).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
const decode = (text) => Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (letter) => letter.charCodeAt(0));
const LOW = 1e-4, HIGH = 10;
const toByte = (loss) => (Number.isFinite(loss) ? Math.round(255 * Math.log10(clamp(loss, LOW, HIGH) / LOW) / 5) : 255);
const fromByte = (byte) => LOW * 10 ** (5 * byte / 255);

// -------------------------------------------------------------------------------------------------------- drawing

const CELLS = 60, TEST = 150, COLORS = ["blue", "orange", "green"], THUMB = 30;
const SETTINGS = ["data", "noise", "points", "layers", "width", "activation", "optimizer", "rate", "batch", "dropout", "decay", "seed"];

const MARKS = [
  (x, y, r) => `M${x - r} ${y}a${r} ${r} 0 1 0 ${2 * r} 0a${r} ${r} 0 1 0 ${-2 * r} 0Z`,
  (x, y, r) => `M${x} ${y - 1.3 * r}L${x + 1.2 * r} ${y + 0.85 * r}L${x - 1.2 * r} ${y + 0.85 * r}Z`,
  (x, y, r) => `M${x - r} ${y - r}h${2 * r}v${2 * r}h${-2 * r}Z`,
];

function create(root, host) {
  const text = host.text, settings = Object.fromEntries(SETTINGS.map((key) => [key, host.props[key]]));
  check(settings);
  let train, test, net, memory, epoch, history, stride, now, looked = -1, probe = [0, 0], pads = [], curves, end;

  const plane = plot({ width: 340, height: 330, x: [-SIDE, SIDE], y: [-SIDE, SIDE], label: text.plane });
  const [left, top, wide, high] = plane.area;
  const map = heat({ x: left, y: top, width: wide, height: high, rows: CELLS, columns: CELLS, smooth: true });
  const dots = svg("g"), title = svg("text", { x: left + 8, y: top + 17, class: "nn-halo" });
  plane.middle.append(map.node, dots, title);
  const grid = new Float64Array(2 * CELLS * CELLS);
  for (let i = 0, k = 0; i < CELLS; i++) {
    for (let j = 0; j < CELLS; j++, k += 2) {
      grid[k] = SIDE * ((2 * j + 1) / CELLS - 1);
      grid[k + 1] = SIDE * (1 - (2 * i + 1) / CELLS);
    }
  }
  const spot = handle(plane, { x: 0, y: 0, label: text.probe, step: [0.1, 0.1], content: svg("path", { d: "M-8 0H-3M3 0H8M0 -8V-3M0 3V8", class: "nn-cross" }),
    onmove: (a, b) => {
      probe = [a, b].map((v) => Math.round(v * 100) / 100);
      answer();
      host.changed();
      host.say(local.textContent);
      return probe;
    } });
  plane.front.append(spot.node);

  const losses = html("div", {});
  const thumbs = html("div", { class: "nn-units", role: "group" }), caption = html("p", { class: "nn-note" });
  const summary = html("p", { class: "nn-happened" }), local = html("p", {});

  const change = (key, fresh) => (value) => {
    settings[key] = value;
    if (fresh === "data") pourData();
    if (fresh) begin();
    else if (key === "optimizer") memory = {};
    draw();
    host.changed();
    host.say(summary.textContent);
  };
  const pick = (key, label, table, fresh) => choice({ label, value: settings[key], options: Object.entries(table), onchange: change(key, fresh) });
  const slide = (key, label, values, show, fresh) => slider({ label, values, value: settings[key], show, oninput: change(key, fresh) });
  const span = (low, high, step) => Array.from({ length: Math.round((high - low) / step) + 1 }, (_, i) => +(low + i * step).toFixed(4));
  const controls = {
    data: pick("data", text.data, text.sets, "data"),
    layers: slide("layers", text.layers, span(0, 4, 1), String, "weights"),
    width: slide("width", text.width, span(1, 16, 1), String, "weights"),
    activation: pick("activation", text.activation, text.activations, "weights"),
    noise: slide("noise", text.noise, span(0, 0.8, 0.05), (v) => fixed(v), "data"),
    points: slide("points", text.points, [20, 40, 60, 90, 120, 180, 240, 300, 400], String, "data"),
    optimizer: pick("optimizer", text.optimizer, text.optimizers),
    rate: slide("rate", text.rate, [0.0003, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3], String),
    batch: slide("batch", text.batch, [1, 2, 4, 8, 16, 32, 64, 128, 400], (v) => (v === 400 ? "all" : String(v))),
    dropout: slide("dropout", text.dropout, span(0, 0.8, 0.1), (v) => format(v)),
    decay: slide("decay", text.decay, [0, 0.0001, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3], String),
  };
  const pace = player(host, { rate: () => 25, step: () => {
    advance();
    draw();
    if (!pace.playing()) host.say(summary.textContent);
    return Number.isFinite(now.train.loss);
  } });
  pace.nodes[1].textContent = text.step;
  const again = button({ label: text.weights, onclick: () => {
    settings.seed = settings.seed % 999 + 1;
    begin();
    draw();
    host.changed();
    host.say(text.fresh);
  } });

  function pourData() {
    train = makeData(settings.data, settings.points, settings.noise, 1);
    test = makeData(settings.data, TEST, settings.noise, 2);
    drawDots();
  }

  function begin() {
    net = makeNetwork(sizesOf(settings), settings.activation, settings.seed);
    [memory, epoch, history, stride, looked] = [{}, 0, [], 1, -1];
    look();
    record();
    buildThumbs();
  }

  function look() {
    now = { train: measure(net, train.x, train.y, train.n), test: measure(net, test.x, test.y, test.n) };
  }

  function record() {
    if (epoch % stride) return;
    history.push([now.train.loss, now.test.loss]);
    if (history.length > 128) {
      history = history.filter((_, i) => i % 2 === 0);
      stride *= 2;
    }
  }

  function advance() {
    trainEpoch(net, train, memory, settings, epoch);
    epoch += 1;
    look();
    record();
  }

  function buildThumbs() {
    const count = settings.layers ? settings.width : 0;
    if (pads.length === count) return;
    pads = Array.from({ length: count }, (_, k) => {
      const canvas = html("canvas", { width: THUMB, height: THUMB });
      const see = (unit) => () => {
        looked = unit;
        drawMap();
      };
      const node = html("button", { type: "button", class: "nn-unit", onpointerenter: see(k), onpointerleave: see(-1), onfocus: see(k), onblur: see(-1), onclick: see(k) }, canvas);
      return { node, context: canvas.getContext("2d") };
    });
    thumbs.replaceChildren(...pads.map((pad) => pad.node));
  }

  function drawDots() {
    const layer = (points, r, name) => COLORS.slice(0, points.classes).map((color, k) => {
      let d = "";
      for (let i = 0; i < points.n; i++) if (points.y[i] === k) d += MARKS[k](+plane.X(points.x[2 * i]).toFixed(1), +plane.Y(points.x[2 * i + 1]).toFixed(1), r);
      return svg("path", { d, class: `${name} nn-${color}`, "clip-path": plane.clip });
    });
    dots.replaceChildren(...layer(test, 2.4, "nn-hollow"), ...layer(train, 3.2, "nn-filled"));
  }

  function drawMap() {
    const colors = palette(root), count = CELLS * CELLS, classes = train.classes;
    const outputs = forward(net, grid, count), hidden = outputs.at(-2), width = settings.layers ? settings.width : 0;
    const size = (k) => {
      let most = 1e-9;
      for (let i = k; i < count * width; i += width) most = Math.max(most, Math.abs(hidden[i]));
      return most;
    };
    if (looked >= 0) {
      const most = size(looked);
      map.draw((i, j) => diverging(colors, 0.9 * hidden[(i * CELLS + j) * width + looked] / most));
    } else {
      const p = softmaxRows(outputs.at(-1), count, classes), kinds = COLORS.map((name) => colors[name]), { paper } = colors;
      map.draw((i, j) => {
        const at = (i * CELLS + j) * classes, color = [...paper];
        for (let k = 0; k < classes; k++) {
          const lean = 0.55 * Math.max(0, p[at + k] - 1 / classes) / (1 - 1 / classes);  // undecided is paper
          for (let c = 0; c < 3; c++) color[c] += lean * (kinds[k][c] - paper[c]);
        }
        return color;
      });
    }
    title.textContent = looked >= 0 ? text.unit(looked + 1, settings.layers) : "";
    pads.forEach(({ node, context }, k) => {
      const most = size(k), image = context.createImageData(THUMB, THUMB), jump = CELLS / THUMB;
      for (let i = 0, at = 0; i < THUMB; i++) {
        for (let j = 0; j < THUMB; j++, at += 4) {
          image.data.set(diverging(colors, 0.9 * hidden[(i * jump * CELLS + j * jump) * width + k] / most), at);
          image.data[at + 3] = 255;
        }
      }
      context.putImageData(image, 0, 0);
      set(node, { "aria-label": text.unit(k + 1, settings.layers) });
    });
    caption.textContent = width ? text.units(settings.layers) : text.none;
    set(thumbs, { "aria-label": caption.textContent });
  }

  function answer() {
    const p = probabilities(net, Float64Array.from(probe), 1);
    const parts = text.classes.slice(0, train.classes).map((name, k) => `${name} ${percent(p[k])}`).join(", ");
    local.textContent = text.answer(probe.map((v) => fixed(v)).join(", "), parts);
  }

  function drawLosses() {
    const before = end;
    for (end = 100; end < epoch;) end *= 2;
    if (end !== before) {
      curves = plot({ width: 340, height: 215, x: [0, end], y: [LOW, HIGH], xlabel: text.epoch, ylabel: text.loss, label: text.losses, log: true, ticks: 4 });
      losses.replaceChildren(curves.node);
    }
    const last = [now.train.loss, now.test.loss];
    const lines = [["nn-ink", text.training], ["nn-purple nn-dashed", text.test]].map(([name, label], k) => {
      const points = [...history.map((pair, i) => [i * stride, pair[k]]), [epoch, last[k]]].map(([e, loss]) => [e, Number.isFinite(loss) ? clamp(loss, LOW, HIGH) : HIGH]);
      const [a, b] = points.at(-1), other = Number.isFinite(last[1 - k]) ? clamp(last[1 - k], LOW, HIGH) : HIGH;
      const above = b > other || (b === other && k === 1), far = curves.X(a) > 250;
      return [svg("path", { d: path(curves, points), class: `nn-line ${name}` }),
        svg("text", { x: curves.X(a) + (far ? -4 : 6), y: clamp(curves.Y(b) + (above ? -7 : 16), 20, 170), "text-anchor": far ? "end" : "start", class: `nn-halo ${name}` }, label)];
    });
    curves.middle.replaceChildren(...lines.map(([line]) => line), ...lines.map(([, label]) => label));
  }

  const percent = (share) => `${Math.round(100 * share)}\u00a0%`;

  function draw() {
    drawMap();
    drawLosses();
    answer();
    const { train: a, test: b } = now;
    const verdict = !Number.isFinite(a.loss) ? text.diverged : epoch === 0 ? text.fresh : a.right > 0.95 && b.loss > 4 * a.loss && b.loss > 0.3 ? text.gap : "";
    summary.textContent = `${text.summary(epoch, net.theta.length, [format(a.loss, 2), percent(a.right)], [format(b.loss, 2), percent(b.right)])} ${verdict}`;
  }

  pourData();
  begin();
  const head = Math.max(host.props.epochs, host.still ? 150 : 0);
  while (epoch < head) advance();
  draw();
  host.theme(drawMap);
  const more = html("details", { open: host.props.more }, html("summary", {}, text.more),
    html("div", { class: "nn-settings" }, ...["noise", "points", "optimizer", "rate", "batch", "dropout", "decay"].map((key) => controls[key].node)));
  root.append(row(controls.data, ...pace.nodes, again),
    html("div", { class: "nn-panels" }, html("div", {}, plane.node, html("p", { class: "nn-note nn-key" }, text.filled)), html("div", {}, losses, caption, thumbs)),
    html("div", { class: "nn-lines" }, summary, local),
    row(controls.layers, controls.width, controls.activation), more);

  return {
    state: () => ({ ...settings, epoch, probe, ...(epoch ? { stride, losses: encode(Uint8Array.from(history.flat(), toByte)), weights: encode(new Uint8Array(Float32Array.from(net.theta).buffer)) } : {}) }),
    set: (state) => {
      const next = { ...settings, ...Object.fromEntries(SETTINGS.filter((key) => key in state).map((key) => [key, state[key]])) };
      check(next);
      if (state.epoch && ![state.epoch, state.stride].every((count) => Number.isInteger(count) && count > 0)) throw new Error("epoch and stride count epochs");
      const given = state.epoch ? new Float32Array(decode(state.weights).buffer) : null;
      const sizes = sizesOf(next), count = sizes.slice(1).reduce((sum, size, l) => sum + size * (sizes[l] + 1), 0);
      if (given && given.length !== count) throw new Error("these weights belong to another network");
      Object.assign(settings, next);
      pace.pause();
      pourData();
      begin();
      if (given) {
        net.theta.set(given);
        [epoch, stride] = [state.epoch, state.stride];
        const bytes = decode(state.losses);
        history = Array.from({ length: bytes.length / 2 }, (_, i) => [fromByte(bytes[2 * i]), fromByte(bytes[2 * i + 1])]);
        look();
      }
      if (state.probe?.length === 2 && state.probe.every((v) => Number.isFinite(v) && Math.abs(v) <= SIDE)) {
        probe = state.probe;
        spot.move(...probe);
      }
      for (const [key, control] of Object.entries(controls)) control.value = settings[key];
      draw();
    },
  };
}

const sizesOf = ({ layers, width, data }) => [2, ...Array(layers).fill(width), classesOf(data)];

function check(settings) {
  const { data, activation, optimizer, layers, width, points, batch } = settings;
  const good = data in SETS && activation in ACTIVATIONS && ["adamw", "sgd"].includes(optimizer)
    && [layers, width, points, batch].every(Number.isInteger) && layers >= 0 && layers <= 4 && width >= 1 && width <= 16
    && points >= 6 && points <= 400 && batch >= 1 && ["noise", "rate", "dropout", "decay", "seed"].every((key) => settings[key] >= 0) && settings.dropout < 1;
  if (!good) throw new Error(`these are no settings of the network playground: ${JSON.stringify(settings)}`);
}

export const { mount, render } = figure({ name: "network_playground", defaults, strings, create });

export default { render };
