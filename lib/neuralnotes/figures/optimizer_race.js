import {
  choice,
  clamp,
  figure,
  format,
  handle,
  heat,
  html,
  mix,
  palette,
  path,
  player,
  plot,
  random,
  row,
  set,
  slider,
  svg,
  toggle,
} from "./kit.js";

const NAMED = ["SGD", "Momentum", "Nesterov", "AdaGrad", "RMSprop", "Adam"];

export const defaults = {
  surface: "ravine",
  condition: 20, // of the ravine: its steepest curvature over its flattest
  rate: null, // null: what suits the surface
  start: null,
  methods: NAMED,
  noise: false,
};

const strings = {
  en: {
    surface: "Surface",
    surfaces: { ravine: "ravine", saddle: "saddle", rosenbrock: "Rosenbrock's valley" },
    formulas: {
      ravine: (k) =>
        `f(x, y) = ½(x² + ${k} y²). Its steepest curvature is κ = ${k}. Above a rate of 2/κ = ${format(2 / k)} SGD diverges, ` +
        `momentum above 3.8/κ = ${format(3.8 / k)}, Nesterov above 1.36/κ = ${format(3.8 / 2.8 / k)}.`,
      saddle: () => "f(x, y) = ½x² − ½y² + ¼y⁴ + ¼: a saddle at (0, 0), a minimum at (0, 1) and one at (0, −1).",
      rosenbrock: () => "f(x, y) = 0.1 (1 − x)² + (y − x²)²: a curved valley along y = x², with its minimum at (1, 1).",
    },
    rate: "Learning rate η",
    condition: "Condition number",
    noise: "Noisy gradients",
    map: "Map of the surface with the path of each method. All begin at the start, which can be moved.",
    start: "Start of all methods",
    drag: "start: drag me",
    minimum: "minimum",
    saddle: "saddle",
    losses: "Loss of each method against the step, on a logarithmic axis",
    step: "step",
    loss: "loss f",
    goal: (x) => `goal: ${x}`,
    table: "Loss now, and the step at which each method first comes below the goal",
    method: "method",
    now: "loss now",
    reached: (x) => `first below ${x}`,
    at: (step) => `step ${step}`,
    notYet: "not yet",
    diverged: (step) => `diverged (${step})`,
    outside: "(off the map)",
    none: "Tick a method to let it run.",
    ahead: (step, name, loss) => `Step ${step}: ${name} has the lowest loss, ${loss}.`,
    goals: (list) => ` First below the goal: ${list}.`,
    lost: (list) => ` Diverged: ${list}.`,
    entry: (name, step) => `${name} (step ${step})`,
    fair: "One learning rate for all. What is best at one rate need not be best at another: try several.",
    noisy:
      "Every method gets the same normal noise, of standard deviation 0.5, in each component of its gradient; the loss is without it.",
  },
};

// ---------------------------------------------------------------------------------------------------- mathematics

const STEPS = 200,
  GOAL = 1e-3,
  LOST = 1e6,
  NOISE = 0.5;

/** What is minimized: value and gradient at (x, y); k is the condition number of the ravine. The least value is 0. */
export const surfaces = {
  ravine: {
    value: (x, y, k) => 0.5 * (x * x + k * y * y),
    gradient: (x, y, k) => [x, k * y],
    x: [-4, 4],
    y: [-2, 2],
    start: [-3.5, 1.2],
    rate: 0.06,
    minima: [[0, 0]],
  },
  saddle: {
    value: (x, y) => 0.5 * x * x - 0.5 * y * y + 0.25 * y ** 4 + 0.25,
    gradient: (x, y) => [x, y ** 3 - y],
    x: [-2.5, 2.5],
    y: [-1.8, 1.8],
    start: [-2, 0.02],
    rate: 0.05,
    minima: [
      [0, 1],
      [0, -1],
    ],
  },
  rosenbrock: {
    value: (x, y) => 0.1 * (1 - x) ** 2 + (y - x * x) ** 2,
    gradient: (x, y) => [-0.2 * (1 - x) - 4 * x * (y - x * x), 2 * (y - x * x)],
    x: [-2, 2],
    y: [-1, 3],
    start: [-1.3, 2],
    rate: 0.1,
    minima: [[1, 1]],
  },
};

/**
 * The methods of neuralnotes.optimizers with their default constants. Each gives `(g, t) => step`, the change of one
 * coordinate over the learning rate for its gradient g at step t = 1, 2, ...; what it remembers stays inside.
 */
export const methods = {
  SGD: () => (g) => -g,
  Momentum: () => {
    let v = 0;
    return (g) => -(v = 0.9 * v + g);
  },
  Nesterov: () => {
    let v = 0;
    return (g) => {
      v = 0.9 * v + g;
      return -(g + 0.9 * v);
    };
  },
  AdaGrad: () => {
    let s = 0;
    return (g) => {
      s += g * g;
      return -g / (Math.sqrt(s) + 1e-10);
    };
  },
  RMSprop: () => {
    let s = 0;
    return (g) => {
      s = 0.9 * s + 0.1 * g * g;
      return -g / (Math.sqrt(s) + 1e-8);
    };
  },
  Adam: () => {
    let m = 0,
      s = 0;
    return (g, t) => {
      m = 0.9 * m + 0.1 * g;
      s = 0.999 * s + 0.001 * g * g;
      return -(m / (1 - 0.9 ** t)) / (Math.sqrt(s / (1 - 0.999 ** t)) + 1e-8);
    };
  },
};

/** The noise of each step and component, the same for every method: STEPS pairs. */
export function noises() {
  const { normal } = random(7);
  return Array.from({ length: STEPS }, () => [NOISE * normal(), NOISE * normal()]);
}

/**
 * One method from a start.
 *
 * @param {object} setting surface, condition, rate, start: [x, y], noise (a boolean).
 * @returns {{points: number[][], losses: number[], diverged: ?number, reached: ?number}} points and losses from step 0
 *   on; they end early where the method diverges: the loss is over a million, or no number.
 */
export function run(name, { surface, condition, rate, start, noise }, steps = STEPS) {
  const { value, gradient } = surfaces[surface],
    [alongX, alongY] = [methods[name](), methods[name]()];
  const added = noise ? noises() : null;
  let [x, y] = start;
  const result = { points: [[x, y]], losses: [value(x, y, condition)], diverged: null, reached: null };
  for (let t = 0; ; t++) {
    const loss = result.losses[t];
    if (result.reached === null && loss < GOAL) result.reached = t;
    if (!(loss <= LOST)) result.diverged = t;
    if (t === steps || result.diverged !== null) return result;
    let [gx, gy] = gradient(x, y, condition);
    if (added) [gx, gy] = [gx + added[t][0], gy + added[t][1]];
    x += rate * alongX(gx, t + 1);
    y += rate * alongY(gy, t + 1);
    result.points.push([x, y]);
    result.losses.push(value(x, y, condition));
  }
}

/** Lines of equal value as pieces [[x, y], [x, y]], from a grid of squares (f at its corners, interpolated). */
export function contour(f, level, [x0, x1], [y0, y1], columns = 64, rows = 56) {
  const X = (j) => x0 + ((x1 - x0) * j) / columns,
    Y = (i) => y0 + ((y1 - y0) * i) / rows;
  const pieces = [];
  const grid = Array.from({ length: rows + 1 }, (_, i) =>
    Array.from({ length: columns + 1 }, (_, j) => f(X(j), Y(i)) - level),
  );
  for (let i = 0; i < rows; i++) {
    for (let j = 0; j < columns; j++) {
      const corners = [
          [i, j],
          [i, j + 1],
          [i + 1, j + 1],
          [i + 1, j],
        ],
        cuts = [];
      corners.forEach(([a, b], k) => {
        const [c, d] = corners[(k + 1) % 4],
          p = grid[a][b],
          q = grid[c][d];
        if (p < 0 !== q < 0) cuts.push([X(b + ((d - b) * p) / (p - q)), Y(a + ((c - a) * p) / (p - q))]);
      });
      for (let k = 0; k + 1 < cuts.length; k += 2) pieces.push([cuts[k], cuts[k + 1]]);
    }
  }
  return pieces;
}

// --------------------------------------------------------------------------------------------------------- figure

// A letter, a color and a dash for each, so that none depends on color alone.
const LOOK = {
  SGD: { letter: "S", color: "nn-blue", dash: "" },
  Momentum: { letter: "M", color: "nn-orange", dash: "7 2" },
  Nesterov: { letter: "N", color: "nn-green", dash: "2 2" },
  AdaGrad: { letter: "G", color: "nn-purple", dash: "9 2 2 2" },
  RMSprop: { letter: "R", color: "nn-brown", dash: "4 3" },
  Adam: { letter: "A", color: "nn-ink", dash: "" },
};
const RATES = [
  0.001, 0.002, 0.003, 0.005, 0.007, 0.01, 0.015, 0.02, 0.03, 0.05, 0.06, 0.07, 0.09, 0.11, 0.15, 0.2, 0.3, 0.5, 0.7, 1,
];
const CONDITIONS = [1, 2, 5, 10, 20, 50, 100];
const LOSSES = [1e-6, 1e3];

const badge = (name) =>
  svg(
    "g",
    { class: `nn-badge ${LOOK[name].color}` },
    svg("circle", { r: 7.5, class: "nn-fill" }),
    svg("text", { y: 3.6, "text-anchor": "middle" }, LOOK[name].letter),
  );

function create(root, host) {
  const { text } = host;
  let state, runs, map, chart, start, hint;
  const fresh = (surface) => ({ surface, rate: surfaces[surface].rate, start: [...surfaces[surface].start] });
  state = {
    condition: host.props.condition,
    methods: [...host.props.methods],
    noise: host.props.noise,
    step: 40,
    ...fresh(host.props.surface),
  };
  if (host.props.rate !== null) state.rate = host.props.rate;
  if (host.props.start !== null) state.start = [...host.props.start];

  const change = (some) => {
    Object.assign(state, some);
    compute();
    update();
    host.say(line.textContent);
    host.changed();
  };
  const surface = choice({
    label: text.surface,
    value: state.surface,
    options: Object.entries(text.surfaces),
    onchange: (name) => {
      Object.assign(state, fresh(name));
      rate.value = state.rate;
      build();
      change({});
    },
  });
  const rate = slider({
    label: text.rate,
    values: RATES,
    value: state.rate,
    oninput: (x) => change({ rate: x }),
  });
  const condition = slider({
    label: text.condition,
    values: CONDITIONS,
    value: state.condition,
    oninput: (x) => {
      state.condition = x;
      build();
      change({});
    },
  });
  const noise = toggle({ label: text.noise, value: state.noise, onchange: (yes) => change({ noise: yes }) });
  const play = player(host, {
    rate: () => 20,
    step: () => {
      state.step = state.step >= STEPS ? 0 : state.step + 1;
      update();
      if (!play.playing() || state.step === STEPS) host.say(line.textContent);
      return state.step < STEPS;
    },
  });
  const panels = html("div", { class: "nn-panels" });
  const line = html("p", { class: "nn-happened" });
  const rows = Object.fromEntries(
    NAMED.map((name) => {
      const tick = toggle({
        label: name,
        value: state.methods.includes(name),
        onchange: (yes) =>
          change({
            methods: NAMED.filter((other) => (other === name ? yes : state.methods.includes(other))),
          }),
      });
      tick.node.insertBefore(
        svg(
          "svg",
          { viewBox: "-9 -9 42 18", class: "nn-swatch", "aria-hidden": "true" },
          svg("path", { d: "M8 0H32", class: `nn-line ${LOOK[name].color}`, "stroke-dasharray": LOOK[name].dash }),
          badge(name),
        ),
        tick.node.lastChild,
      );
      const now = html("td"),
        reached = html("td");
      return [
        name,
        { tick, now, reached, node: html("tr", {}, html("th", { scope: "row" }, tick.node), now, reached) },
      ];
    }),
  );
  const table = html(
    "table",
    { "aria-label": text.table },
    html(
      "thead",
      {},
      html(
        "tr",
        {},
        ...[text.method, text.now, text.reached(format(GOAL))].map((head) => html("th", { scope: "col" }, head)),
      ),
    ),
    html("tbody", {}, ...NAMED.map((name) => rows[name].node)),
  );
  const note = html("p", { class: "nn-note" }),
    noisy = html("p", { class: "nn-note" });
  root.append(row(surface, rate, condition, noise), row(...play.nodes), panels, line, table, note, noisy);

  /** Map and chart; the axes stay as they are until the surface changes. */
  function build() {
    const { x, y, value, minima } = surfaces[state.surface],
      f = (a, b) => value(a, b, state.condition);
    map = plot({ x, y, height: 300, xlabel: "x", ylabel: "y", label: text.map });
    const [left, top, width, height] = map.area,
      rowsOf = 60,
      columns = 68;
    const most = Math.max(
      ...[0, 1, 2].flatMap((i) =>
        [0, 1, 2].map((j) => f(x[0] + ((x[1] - x[0]) * j) / 2, y[0] + ((y[1] - y[0]) * i) / 2)),
      ),
    );
    map.heat = heat({ x: left, y: top, width, height, rows: rowsOf, columns, smooth: true });
    map.shade = () => {
      const colors = palette(root);
      map.heat.draw((i, j) => {
        const here = f(x[0] + ((x[1] - x[0]) * (j + 0.5)) / columns, y[1] - ((y[1] - y[0]) * (i + 0.5)) / rowsOf);
        return mix(colors.paper, colors.muted, 0.32 * (here / most) ** 0.35);
      });
    };
    map.shade();
    map.back.append(map.heat.node);
    let d = "";
    for (let level = 0.01; level < most; level *= 2.5) {
      for (const [[a, b], [p, q]] of contour(f, level, x, y)) {
        d += `M${map.X(a).toFixed(1)} ${map.Y(b).toFixed(1)}L${map.X(p).toFixed(1)} ${map.Y(q).toFixed(1)}`;
      }
    }
    map.back.append(svg("path", { d, class: "nn-contour" }));
    const mark = (at, name, cross) =>
      map.back.append(
        svg("path", {
          d: cross ? "M-4 -4L4 4M-4 4L4 -4" : "M-5 0H5M0 -5V5",
          class: "nn-mark",
          transform: `translate(${map.X(at[0])} ${map.Y(at[1])})`,
        }),
        svg("text", { x: map.X(at[0]) + 10, y: map.Y(at[1]) + (at[1] > 0.5 ? -8 : 18), class: "nn-place" }, name),
      );
    minima.forEach((at) => mark(at, text.minimum));
    if (state.surface === "saddle") mark([0, 0], text.saddle, true);
    chart = plot({
      x: [0, STEPS],
      y: LOSSES,
      height: 300,
      log: true,
      xlabel: text.step,
      ylabel: text.loss,
      label: text.losses,
      ticks: 4,
    });
    chart.middle.append(
      svg("path", {
        d: path(chart, [
          [0, GOAL],
          [STEPS, GOAL],
        ]),
        class: "nn-goal",
      }),
      svg(
        "text",
        { x: chart.X(STEPS) - 4, y: chart.Y(GOAL) + 14, "text-anchor": "end", class: "nn-place" },
        text.goal(format(GOAL)),
      ),
    );
    for (const [panel, heads] of [
      [map, (map.heads = {})],
      [chart, (chart.heads = {})],
    ]) {
      panel.lines = {};
      for (const name of NAMED) {
        panel.lines[name] = svg("path", {
          class: `nn-line nn-run ${LOOK[name].color}`,
          "stroke-dasharray": LOOK[name].dash,
          "clip-path": panel.clip,
        });
        panel.middle.append(panel.lines[name]);
        heads[name] = badge(name);
        heads[name].prepend(svg("path", { d: "M-11 -11L11 11M-11 11L11 -11", class: "nn-lost" }));
        panel.front.append(heads[name]);
      }
    }
    start = handle(map, {
      x: state.start[0],
      y: state.start[1],
      label: text.start,
      content: svg(
        "g",
        {},
        svg("circle", { r: 9, class: "nn-start-ring" }),
        svg("circle", { r: 3.5, class: "nn-dot" }),
      ),
      onmove: (a, b) => {
        state.start = [+a.toFixed(4), +b.toFixed(4)];
        change({});
      },
    });
    hint = svg("text", { class: "nn-place nn-hint" }, text.drag);
    map.front.append(hint, start.node);
    panels.replaceChildren(map.node, chart.node);
    condition.node.style.display = state.surface === "ravine" ? "" : "none";
    note.textContent = `${text.formulas[state.surface](state.condition)} ${text.fair}`;
  }

  function compute() {
    runs = Object.fromEntries(state.methods.map((name) => [name, run(name, state)]));
  }

  /** The badge at the end of a path; at the border of the map, or at the top of the chart, when the path leaves it. */
  function put(panel, name, [a, b], lost) {
    const [left, top, width, height] = panel.area;
    const x = Number.isFinite(a) ? clamp(panel.X(a), left, left + width) : left + width,
      y = clamp(panel.Y(b), top, top + height);
    set(panel.heads[name], { transform: `translate(${x.toFixed(1)} ${Number.isFinite(y) ? y.toFixed(1) : top})` });
    panel.heads[name].classList.toggle("nn-diverged", lost);
  }

  function update() {
    for (const name of NAMED) {
      const shown = state.methods.includes(name),
        { now, reached, tick } = rows[name];
      tick.value = shown;
      for (const part of [map.lines[name], map.heads[name], chart.lines[name], chart.heads[name]])
        part.style.display = shown ? "" : "none";
      if (!shown) {
        [now.textContent, reached.textContent] = ["", ""];
        continue;
      }
      const { points, losses, diverged, reached: goal } = runs[name],
        t = Math.min(state.step, points.length - 1);
      const lost = diverged !== null && diverged <= state.step,
        [x, y] = points[t],
        within = surfaces[state.surface];
      const off = x < within.x[0] || x > within.x[1] || y < within.y[0] || y > within.y[1];
      map.lines[name].setAttribute(
        "d",
        path(
          map,
          points.slice(0, t + 1).map(([a, b]) => [clamp(a, -1e3, 1e3), b]),
        ),
      );
      chart.lines[name].setAttribute(
        "d",
        path(
          chart,
          losses.slice(0, t + 1).map((loss, step) => [step, Math.max(loss, 1e-12)]),
        ),
      );
      put(map, name, points[t], lost);
      put(chart, name, [t, Math.max(losses[t], 1e-12)], lost);
      now.textContent = lost ? text.diverged(diverged) : `${format(losses[t], 2)}${off ? ` ${text.outside}` : ""}`;
      reached.textContent = goal !== null && goal <= state.step ? text.at(goal) : text.notYet;
    }
    set(hint, { x: map.X(state.start[0]) + 13, y: map.Y(state.start[1]) - 8 });
    line.textContent = sentence();
    noisy.textContent = state.noise ? text.noisy : "";
  }

  function sentence() {
    const at = (name) => Math.min(state.step, runs[name].losses.length - 1);
    const running = state.methods.filter((name) => runs[name].diverged === null || runs[name].diverged > state.step);
    const lost = state.methods
      .filter((name) => !running.includes(name))
      .map((name) => text.entry(name, runs[name].diverged));
    const reached = state.methods
      .filter((name) => runs[name].reached !== null && runs[name].reached <= state.step)
      .sort((a, b) => runs[a].reached - runs[b].reached)
      .map((name) => text.entry(name, runs[name].reached));
    if (!state.methods.length) return text.none;
    const best = running.reduce((a, b) => (a && runs[a].losses[at(a)] <= runs[b].losses[at(b)] ? a : b), null);
    return (
      (best ? text.ahead(state.step, best, format(runs[best].losses[at(best)], 2)) : "") +
      (reached.length ? text.goals(reached.join(", ")) : "") +
      (lost.length ? text.lost(lost.join(", ")) : "")
    );
  }

  if (host.still) state.step = 60;
  rate.value = state.rate;
  condition.value = state.condition;
  build();
  compute();
  update();
  host.theme(() => map.shade());

  return {
    state: () => structuredClone(state),
    set(given) {
      const known =
        Object.hasOwn(surfaces, given.surface) &&
        given.methods.every((name) => NAMED.includes(name)) &&
        given.start.every(Number.isFinite) &&
        [given.rate, given.condition].every((x) => x > 0) &&
        Number.isInteger(given.step) &&
        given.step >= 0 &&
        given.step <= STEPS;
      if (!known || given.start.length !== 2) throw new Error("not a state of optimizer_race");
      play.pause();
      for (const key of Object.keys(state)) state[key] = given[key];
      [surface.value, noise.value] = [state.surface, state.noise];
      rate.value = state.rate;
      condition.value = state.condition;
      build();
      compute();
      update();
    },
  };
}

export const { mount, render } = figure({ name: "optimizer_race", defaults, strings, create });
export default { render };
