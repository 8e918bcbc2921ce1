import { button, choice, clamp, figure, fixed, format, handle, heat, html, mix, palette, plot, random, row, set, slider, svg, toggle } from "./kit.js";

export const defaults = { preset: "rings", points: null, feature: "square", center: [1.1, 0.9], width: 0.6, turn: -30, tilt: 22, fresh: false };

const strings = {
  en: {
    preset: "Points",
    presets: { rings: "rings", xor: "XOR", moons: "two moons" },
    own: "your own",
    feature: "Third coordinate φ(x)",
    features: { none: "none: φ = 0", square: "x₁² + x₂²", product: "x₁·x₂", bump: "one bump", every: "a bump on every point" },
    width: "Width s of a bump",
    fresh: "Show the fresh points, hollow",
    turn: "Turn the view",
    along: "Look along the plane",
    aslant: "Look aslant",
    above: "Look from above",
    flip: (i) => `Flip point ${i + 1}`,
    flipNone: "Flip a point",
    plane: "The plane of the points, with the region of each class",
    planeTitle: "The points in the plane",
    space: "The same points lifted into three dimensions, with the dividing plane",
    spaceTitle: { none: "Not lifted: φ = 0", square: "Lifted by φ = x₁² + x₂²", product: "Lifted by φ = x₁·x₂", bump: "Lifted by a bump φ", every: "Lifted by the sum of all bumps" },
    view: "View of the space: left and right arrows turn it, up and down arrows tilt it",
    angles: (turn, tilt) => `turned by ${turn}°, tilted by ${tilt}°`,
    point: (i, y) => `Point ${i + 1}, ${y > 0 ? "disk" : "triangle"}. Enter flips its class`,
    center: "Center c of the bump",
    height: { none: "φ", square: "φ", product: "φ", bump: "φ", every: "f" },
    right: (n, all) => `${n} of ${all} points right. `,
    line: (n) => (n ? `A line in the plane leaves ${n} on the wrong side.` : "A line in the plane is enough."),
    split: (disksUp) => `Lifted, a plane divides them: every ${disksUp ? "disk" : "triangle"} lies above it, every ${disksUp ? "triangle" : "disk"} below.`,
    left: (n) => `Even with this third coordinate, the plane leaves ${n} on the wrong side.`,
    seen: (name, n, all) => `Of ${all} fresh points, drawn as ${name} were: ${n} right.`,
    drawn: { rings: "the rings", xor: "the XOR points", moons: "the moons" },
    score: (terms) => `Score f(x) = ${terms}; disk where f(x) ≥ 0.`,
    bumps: (n, b) => `Score f(x) = a weighted sum of ${n} bumps ${b}; disk where f(x) ≥ 0. These are ${n} coordinates, too many to draw: the height is f(x) itself, and the plane lies at 0.`,
    hint: "Drag a point, the center c, or the space. Keys: arrows move, Enter (or a double click) flips a point. A dashed ring marks a point on the wrong side. Green: the dividing plane; where it cuts the surface is the boundary, and its shadow on the floor is the line in the plane.",
  },
};

// ---------------------------------------------------------------------------------------------------- mathematics

const SIDE = 2, DECAY = 1e-3, TRAIN = 24, FRESH = 100, SPREAD = { rings: 0.16, xor: 0.5, moons: 0.13 };

const SAMPLE = {
  rings: (y, r) => {
    const angle = 2 * Math.PI * r.uniform(), radius = (y > 0 ? 1.5 : 0.6) + SPREAD.rings * r.normal();
    return [radius * Math.cos(angle), radius * Math.sin(angle)];
  },
  xor: (y, r) => {
    const a = 1 + SPREAD.xor * (2 * r.uniform() - 1), b = 1 + SPREAD.xor * (2 * r.uniform() - 1), sign = r.uniform() < 0.5 ? 1 : -1;
    return [sign * a, -sign * y * b];
  },
  moons: (y, r) => {
    const angle = Math.PI * r.uniform(), sign = y > 0 ? 1 : -1;
    return [sign * 1.1 * (Math.cos(angle) - 0.5) + SPREAD.moons * r.normal(), sign * 1.1 * (Math.sin(angle) - 0.25) + SPREAD.moons * r.normal()];
  },
};

const snap = (x) => Math.round(clamp(x, -SIDE, SIDE) * 100) / 100;

/** n seeded points [x₁, x₂, label] of a preset, labels 1 and -1 in turn. */
export function sample(preset, n, seed) {
  const r = random(seed);
  return Array.from({ length: n }, (_, i) => {
    const y = i % 2 ? -1 : 1;
    return [...SAMPLE[preset](y, r).map(snap), y];
  });
}

const bump = (a, b, [u, v], s) => Math.exp(-((a - u) ** 2 + (b - v) ** 2) / (2 * s * s));

/** The third coordinate φ(x₁, x₂). */
const PHI = {
  none: () => 0,
  square: (a, b) => a * a + b * b,
  product: (a, b) => a * b,
  bump: (a, b, { center, width }) => bump(a, b, center, width),
};

/** The features of one point: (x₁, x₂, φ), or one bump for each of the given points. */
export const featuresOf = (a, b, map) => (map.feature === "every" ? map.points.map((p) => bump(a, b, p, map.width)) : [a, b, PHI[map.feature](a, b, map)]);

/** ln(1 + exp(-m)) without overflow. */
const softplus = (m) => Math.max(0, -m) + Math.log1p(Math.exp(-Math.abs(m)));

/** The mean logistic loss of weights theta (the bias last) plus decay/2 times the sum of their squares, without the bias. */
export function lossOf(rows, y, theta, decay = DECAY) {
  const d = theta.length - 1;
  let loss = 0;
  rows.forEach((row, i) => (loss += softplus(y[i] * scoreOf(row, theta)) / rows.length));
  for (let j = 0; j < d; j++) loss += (decay / 2) * theta[j] ** 2;
  return loss;
}

export function scoreOf(row, theta) {
  let z = theta[row.length];
  for (let j = 0; j < row.length; j++) z += theta[j] * row[j];
  return z;
}

/** Solve A x = b for a positive definite A (rows), by Cholesky; both are overwritten. */
function solve(A, b) {
  const n = b.length;
  for (let j = 0; j < n; j++) {
    for (let k = 0; k < j; k++) for (let i = j; i < n; i++) A[i][j] -= A[i][k] * A[j][k];
    const pivot = Math.sqrt(A[j][j]);
    for (let i = j; i < n; i++) A[i][j] /= pivot;
  }
  for (let i = 0; i < n; i++) {
    for (let k = 0; k < i; k++) b[i] -= A[i][k] * b[k];
    b[i] /= A[i][i];
  }
  for (let i = n - 1; i >= 0; i--) {
    for (let k = i + 1; k < n; k++) b[i] -= A[k][i] * b[k];
    b[i] /= A[i][i];
  }
  return b;
}

/** Logistic regression at its minimum, by Newton's method: weights, the bias last. Labels are 1 and -1, both there. */
export function fit(rows, y, decay = DECAY) {
  const n = rows.length, d = rows[0].length;
  let theta = new Array(d + 1).fill(0), loss = lossOf(rows, y, theta, decay);
  for (let step = 0; step < 100; step++) {
    const gradient = theta.map((w, j) => (j < d ? decay * w : 0));
    const hessian = theta.map((_, i) => theta.map((_, j) => (i === j ? (i < d ? decay : 1e-12) : 0)));
    rows.forEach((row, k) => {
      const x = [...row, 1], p = 1 / (1 + Math.exp(-scoreOf(row, theta)));
      const error = (p - (y[k] > 0 ? 1 : 0)) / n, bend = (p * (1 - p)) / n;
      for (let i = 0; i <= d; i++) {
        gradient[i] += error * x[i];
        for (let j = 0; j <= i; j++) hessian[i][j] += bend * x[i] * x[j];
      }
    });
    if (Math.max(...gradient.map(Math.abs)) < 1e-10) break;
    const direction = solve(hessian, [...gradient]);
    let size = 1, next, value;
    do {
      next = theta.map((w, j) => w - size * direction[j]);
      value = lossOf(rows, y, next, decay);
      size /= 2;
    } while (value > loss && size > 1e-8);
    if (!(value <= loss)) break;
    [theta, loss] = [next, value];
  }
  return theta;
}

/** The classifier of these points: its weights, the score and the height of any place, and how many points it has right. */
export function classify(points, { feature, center, width }) {
  const map = { feature, center, width, points };
  const theta = fit(points.map(([a, b]) => featuresOf(a, b, map)), points.map((p) => p[2]));
  const score = (a, b) => scoreOf(featuresOf(a, b, map), theta);
  // With a bump on every point there are as many dimensions as points; drawn is the direction of the weights, the score.
  const height = feature === "every" ? score : (a, b) => PHI[feature](a, b, map);
  // The plane p₁ x₁ + p₂ x₂ + p₃ h + p₄ = 0 in the space of (x₁, x₂, height).
  const plane = feature === "every" ? [0, 0, 1, 0] : theta;
  const right = (list) => list.filter(([a, b, y]) => (score(a, b) >= 0 ? 1 : -1) === y).length;
  return { theta, plane, score, height, right };
}

// ---------------------------------------------------------------------------------------------------------- space

const HIGH = 0.9, SCALE = 100, WIDE = 340, TALL = 346, CELLS = 64, MESH = 4, RADIAN = Math.PI / 180;

/** What the vertical axis shows for a feature, [low, high]; given are the heights of the points. */
export function rangeOf(feature, heights) {
  const most = Math.max(...heights.map(Math.abs));
  if (feature === "none" || feature === "bump") return [0, 1];
  if (feature === "square") return [0, most <= 4 ? 4 : 8];  // 8 in the corners of the plane
  if (feature === "product") return most <= 2.5 ? [-2.5, 2.5] : [-4, 4];
  const size = 10 ** Math.floor(Math.log10(1.05 * most || 1)), top = size * [1, 2, 3, 5, 10].find((m) => m * size >= 1.05 * most);
  return [-top, top];
}

/**
 * The view from an angle: `place(x₁, x₂, h)` gives SVG units and the depth (larger is farther away).
 * Turned by 0 and tilted by 90 degrees it is the plane seen from above.
 */
export function camera(turn, tilt, [low, high]) {
  const [c, s, ce, se] = [Math.cos(turn * RADIAN), Math.sin(turn * RADIAN), Math.cos(tilt * RADIAN), Math.sin(tilt * RADIAN)];
  const up = (h) => HIGH * ((2 * (h - low)) / (high - low) - 1);
  const place = (a, b, h) => {
    const u = a / SIDE, v = b / SIDE, w = up(h), back = u * s + v * c;
    return [WIDE / 2 + SCALE * (u * c - v * s), TALL / 2 + 8 - SCALE * (back * se + w * ce), back * ce - w * se];
  };
  // The plane's coefficients in the box's own coordinates, where all three directions are drawn in one scale.
  const inBox = ([p, q, r, o]) => [SIDE * p, SIDE * q, (r * (high - low)) / (2 * HIGH), o + (r * (low + high)) / 2];
  /** 1 where the side with positive score is the nearer one, else -1. */
  const facing = (plane) => {
    const [p, q, r] = inBox(plane);
    return r * se - (p * s + q * c) * ce >= 0 ? 1 : -1;
  };
  return { place, facing, inBox };
}

/** Angles from which the plane is seen as a line, the nearest to the present ones. */
export function edgeOn(plane, turn, tilt, range) {
  const [p, q, r] = camera(turn, tilt, range).inBox(plane), flat = Math.hypot(p, q);
  if (flat > 1e-6 * Math.abs(r)) {
    const wanted = Math.atan2(-q, p) / RADIAN, off = ((turn - wanted) % 180 + 270) % 180 - 90;
    turn = wrap(Math.round((turn - off) * 10) / 10);
  }
  return [turn, Math.abs(r) < 1e-6 * flat ? tilt : 0];
}

const wrap = (angle) => ((angle + 180) % 360 + 360) % 360 - 180;

/** The corners of the part of the plane inside the box, in order; none when the plane misses the box. */
export function cut([p, q, r, o], [low, high]) {
  const corners = [0, 1, 2, 3, 4, 5, 6, 7].map((k) => [k & 1 ? SIDE : -SIDE, k & 2 ? SIDE : -SIDE, k & 4 ? high : low]);
  const value = ([a, b, h]) => p * a + q * b + r * h + o, found = [];
  for (let i = 0; i < 8; i++) {
    for (const bit of [1, 2, 4]) {
      if (i & bit) continue;
      const from = corners[i], to = corners[i | bit], v = value(from), w = value(to);
      if (v === w || v * w > 0) continue;
      const t = v / (v - w);
      found.push(from.map((x, k) => x + t * (to[k] - x)));
    }
  }
  return found;
}

/** Where a function on a grid of (n + 1)² corners is 0: short lines between the cells' edges, as pairs of [column, row]. */
export function zeroLines(f, n) {
  const lines = [];
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < n; j++) {
      const ring = [[j, i], [j + 1, i], [j + 1, i + 1], [j, i + 1]], ends = [];
      ring.forEach(([a, b], k) => {
        const [c, d] = ring[(k + 1) % 4], v = f[b * (n + 1) + a], w = f[d * (n + 1) + c];
        if (v >= 0 !== w >= 0) ends.push([a + (v / (v - w)) * (c - a), b + (v / (v - w)) * (d - b)]);
      });
      for (let k = 0; k + 1 < ends.length; k += 2) lines.push([ends[k], ends[k + 1]]);
    }
  }
  return lines;
}

// -------------------------------------------------------------------------------------------------------- drawing

export const SEEDS = { rings: 268, xor: 431, moons: 890 };  // chosen: points spread evenly, and each feature does what it does on most draws
export const FEATURES = ["none", "square", "product", "bump", "every"];
const WIDTHS = [0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.6, 0.8, 1, 1.4, 2];

function symbol(y, size, name = "nn-fill nn-mark") {
  const s = size / 6.5, color = y > 0 ? "nn-blue" : "nn-orange";
  return y > 0 ? svg("circle", { r: size, class: `${name} ${color}` })
    : svg("path", { d: `M0 ${-8 * s}L${7.5 * s} ${5.5 * s}L${-7.5 * s} ${5.5 * s}Z`, class: `${name} ${color}` });
}

const put = (node, x, y) => set(node, { transform: `translate(${x.toFixed(1)} ${y.toFixed(1)})` });

function create(root, host) {
  const text = host.text, props = host.props;
  let preset = props.points ? null : props.preset;
  if (preset && !SEEDS[preset]) throw new Error(`there is no preset ${preset}`);
  let { feature, center, width, turn, tilt, fresh } = props;
  let points = props.points ?? sample(preset, TRAIN, SEEDS[preset]);
  let unseen, model, range, grid, chosen = -1, handles = [];

  const plane = plot({ width: WIDE, height: TALL, x: [-SIDE, SIDE], y: [-SIDE, SIDE], xlabel: "x₁", ylabel: "x₂", title: text.planeTitle, label: text.plane, ticks: 4 });
  const [left, top, wide, high] = plane.area, half = wide / CELLS / 2, tall = high / CELLS / 2;
  const tint = heat({ x: left - half, y: top - tall, width: wide + 2 * half, height: high + 2 * tall, rows: CELLS + 1, columns: CELLS + 1, smooth: true });
  const tinted = svg("g", { "clip-path": plane.clip });
  tinted.append(tint.node);
  plane.back.append(tinted);
  const boundary = svg("path", { class: "nn-line nn-green nn-border" });
  const reach = svg("ellipse", { class: "nn-reach nn-purple", "clip-path": plane.clip });
  const marks = svg("g"), hollow = svg("g", { class: "nn-fresh" }), grips = svg("g");
  plane.middle.append(boundary, reach, hollow, marks);
  const middle = handle(plane, { x: center[0], y: center[1], label: text.center, step: [0.05, 0.05],
    content: svg("g", {}, svg("path", { d: "M0 -8L8 0L0 8L-8 0Z", class: "nn-center nn-purple" }), svg("text", { x: 9, y: -7, class: "nn-halo nn-purple nn-strong nn-name" }, "c")),
    onmove: (a, b) => {
      center = [snap(a), snap(b)];
      update();
      return center;
    } });
  plane.front.append(grips, middle.node);

  const scene = svg("g"), title = svg("text", { x: WIDE / 2, y: 16, "text-anchor": "middle", class: "nn-title" });
  const view = svg("rect", { x: 1, y: 22, width: WIDE - 2, height: TALL - 23, class: "nn-view", tabindex: 0, role: "slider", "aria-label": text.view, "aria-valuemin": -180, "aria-valuemax": 180 });
  const space = svg("svg", { viewBox: `0 0 ${WIDE} ${TALL}`, class: "nn-plot nn-space", role: "group", "aria-label": text.space }, title, scene, view);
  let from = null;
  view.addEventListener("pointerdown", (event) => {
    view.setPointerCapture(event.pointerId);
    from = [event.clientX, event.clientY, turn, tilt];
  });
  view.addEventListener("pointermove", (event) => {
    if (!from || !view.hasPointerCapture(event.pointerId)) return;
    const [x, y, before, leaned] = from, degrees = 180 / space.getBoundingClientRect().width;
    look(before - (event.clientX - x) * degrees, leaned + (event.clientY - y) * degrees);
  });
  for (const name of ["pointerup", "pointercancel"]) view.addEventListener(name, () => (from = null));
  view.addEventListener("keydown", (event) => {
    const [dx, dy] = { ArrowLeft: [5, 0], ArrowRight: [-5, 0], ArrowUp: [0, -5], ArrowDown: [0, 5] }[event.key] ?? [0, 0];
    if (!dx && !dy) return;
    event.preventDefault();
    look(turn + dx, tilt + dy);
  });

  const presets = choice({ label: text.preset, value: preset ?? "own", options: [...Object.keys(SEEDS).map((name) => [name, text.presets[name]]), ["own", text.own]],
    onchange: (name) => {
      if (name === "own") return;
      preset = name;
      points = sample(preset, TRAIN, SEEDS[preset]);
      chosen = -1;
      rebuild();
      update();
    } });
  const features = choice({ label: text.feature, value: feature, options: FEATURES.map((name) => [name, text.features[name]]),
    onchange: (name) => {
      feature = name;
      update();
    } });
  const widths = slider({ label: text.width, values: WIDTHS, value: width, show: (x) => fixed(x), oninput: (x) => {
    width = x;
    update();
  } });
  const turns = slider({ label: text.turn, min: -180, max: 180, step: 1, value: turn, show: (x) => `${fixed(x, 0)}°`, oninput: (x) => look(x, tilt) });
  const freshes = toggle({ label: text.fresh, value: fresh, onchange: (yes) => {
    fresh = yes;
    update();
  } });
  const along = button({ label: text.along, primary: true, onclick: () => look(...edgeOn(model.plane, turn, tilt, range)) });
  const aslant = button({ label: text.aslant, onclick: () => look(defaults.turn, defaults.tilt) });
  const above = button({ label: text.above, onclick: () => look(0, 90) });
  const flipper = button({ label: text.flipNone, onclick: () => flip(chosen) });
  const note = html("p", { class: "nn-happened" }), seen = html("p"), formula = html("p", { class: "nn-sum" });

  function look(angle, lean) {
    turn = Math.round(wrap(angle) * 10) / 10;
    tilt = Math.round(clamp(lean, 0, 90) * 10) / 10;
    drawSpace();
    host.changed();
  }

  const canFlip = (i) => i >= 0 && points.filter((p) => p[2] === points[i][2]).length > 1;  // both classes stay

  function flip(i) {
    if (!canFlip(i)) return;
    points[i][2] *= -1;
    rebuild();
    handles[i].node.focus();
    update();
  }

  function rebuild() {
    handles = points.map(([a, b, y], i) => {
      const grip = handle(plane, { x: a, y: b, label: text.point(i, y), step: [0.05, 0.05], content: symbol(y, 6),
        onmove: (u, v) => {
          points[i] = [snap(u), snap(v), points[i][2]];
          update();
          return points[i].slice(0, 2);
        } });
      grip.node.addEventListener("focus", () => {
        chosen = i;
        drawAll();
      });
      grip.node.addEventListener("dblclick", () => flip(i));
      grip.node.addEventListener("keydown", (event) => {
        if (event.key !== "Enter") return;
        flip(i);
        event.preventDefault();
      });
      return grip;
    });
    grips.replaceChildren(...handles.map((grip) => grip.node));
  }

  /** Fit again, and draw what the fit gives. */
  function solveAgain() {
    model = classify(points, { feature, center, width });
    unseen = preset ? sample(preset, FRESH, 1000 + SEEDS[preset]) : [];
    range = rangeOf(feature, points.map(([a, b]) => model.height(a, b)));
    const size = CELLS + 1;
    grid = { f: new Float64Array(size * size), h: new Float64Array(size * size) };
    for (let i = 0, k = 0; i < size; i++) {
      for (let j = 0; j < size; j++, k++) {
        grid.f[k] = model.score(at(j), at(i));
        grid.h[k] = feature === "every" ? grid.f[k] : model.height(at(j), at(i));
      }
    }
    grid.lines = zeroLines(grid.f, CELLS);
  }

  const at = (k) => SIDE * ((2 * k) / CELLS - 1);
  const isWrong = ([a, b, y]) => (model.score(a, b) >= 0 ? 1 : -1) !== y;
  const own = () => !preset || JSON.stringify(points) !== JSON.stringify(sample(preset, TRAIN, SEEDS[preset]));

  function drawTint() {
    const colors = palette(root), [up, down] = [mix(colors.paper, colors.blue, 0.14), mix(colors.paper, colors.orange, 0.14)];
    tint.draw((i, j) => (grid.f[(CELLS - i) * (CELLS + 1) + j] >= 0 ? up : down));
  }

  function drawPlane() {
    const to = ([j, i]) => `${plane.X(at(j)).toFixed(1)} ${plane.Y(at(i)).toFixed(1)}`;
    set(boundary, { d: grid.lines.map(([p, q]) => `M${to(p)}L${to(q)}`).join("") });
    const one = feature === "bump";
    reach.style.display = middle.node.style.display = one ? "" : "none";
    set(reach, { cx: plane.X(center[0]), cy: plane.Y(center[1]), rx: (width / SIDE / 2) * wide, ry: (width / SIDE / 2) * high });
    hollow.replaceChildren(...(fresh ? unseen : []).map(([a, b, y]) => put(symbol(y, 3.2, "nn-hollow"), plane.X(a), plane.Y(b))));
    marks.replaceChildren(...points.flatMap((p, i) => [
      isWrong(p) ? put(svg("circle", { r: 10.5, class: "nn-wrong" }), plane.X(p[0]), plane.Y(p[1])) : null,
      i === chosen ? put(svg("circle", { r: 14.5, class: "nn-chosen" }), plane.X(p[0]), plane.Y(p[1])) : null].filter(Boolean)));
  }

  function drawSpace() {
    const { place, facing } = camera(turn, tilt, range), near = facing(model.plane), [low, high_] = range, [p, q, r, o] = model.plane;
    const spot = (a, b, h) => place(a, b, h).slice(0, 2).map((x) => x.toFixed(1)).join(" ");
    const line = (...ends) => `M${ends.map((end) => spot(...end)).join("L")}`;
    const front = [], behind = [];  // of the dividing plane, as it is seen

    // The surface, as a net.
    const nets = { front: "", behind: "" }, size = CELLS + 1;
    const thread = (k, l) => {
      let ends = [k, l].map((m) => [at(m % size), at(Math.floor(m / size)), grid.h[m]]);
      for (const limit of range) {  // what leaves the box is cut off
        const out = ends.map((end) => (limit === low ? end[2] < limit : end[2] > limit));
        if (out[0] && out[1]) return;
        const t = (limit - ends[0][2]) / (ends[1][2] - ends[0][2]);
        ends = ends.map((end, i) => (out[i] ? [0, 1, 2].map((n) => ends[0][n] + t * (ends[1][n] - ends[0][n])) : end));
      }
      nets[(grid.f[k] + grid.f[l]) * near > 0 ? "front" : "behind"] += line(...ends);
    };
    for (let i = 0; i < size; i += MESH) {
      for (let j = 0; j < CELLS; j += 2) {
        thread(i * size + j, i * size + j + 2);
        thread(j * size + i, (j + 2) * size + i);
      }
    }

    // Stems, points and their rings, the far ones first.
    const things = [];
    const lift = ([a, b]) => model.height(a, b);
    points.forEach((point, i) => {
      const [a, b, y] = point, h = lift(point), [x, v, depth] = place(a, b, h), side = model.score(a, b) * near > 0 ? front : behind;
      const foot = -(p * a + q * b + o) / r, color = y > 0 ? "nn-blue" : "nn-orange";
      if (foot >= low && foot <= high_) side.push(svg("path", { d: line([a, b, h], [a, b, foot]), class: `nn-line nn-stem ${color}` }));
      things.push({ depth, side, nodes: [put(symbol(y, 5), x, v), isWrong(point) ? put(svg("circle", { r: 9, class: "nn-wrong" }), x, v) : null, i === chosen ? put(svg("circle", { r: 12.5, class: "nn-chosen" }), x, v) : null] });
    });
    for (const [a, b, y] of fresh ? unseen : []) {
      const [x, v, depth] = place(a, b, lift([a, b]));
      things.push({ depth, side: model.score(a, b) * near > 0 ? front : behind, nodes: [put(symbol(y, 2.8, "nn-hollow"), x, v)] });
    }
    if (feature === "bump") {
      const [x, v, depth] = place(...center, 1);
      things.push({ depth, side: model.score(...center) * near > 0 ? front : behind, nodes: [put(svg("path", { d: "M0 -6L6 0L0 6L-6 0Z", class: "nn-center nn-purple" }), x, v)] });
    }
    things.sort((one, other) => other.depth - one.depth).forEach(({ side, nodes }) => side.push(...nodes.filter(Boolean)));

    // The plane in the box, its cut with the surface, and the shadow of that on the floor.
    const corners = cut(model.plane, range).map((corner) => place(...corner));
    const [mx, my] = [0, 1].map((k) => corners.reduce((sum, corner) => sum + corner[k] / corners.length, 0));
    corners.sort((one, other) => Math.atan2(one[1] - my, one[0] - mx) - Math.atan2(other[1] - my, other[0] - mx));
    const sheet = corners.length ? `M${corners.map(([x, y]) => `${x.toFixed(1)} ${y.toFixed(1)}`).join("L")}Z` : "";
    const exact = (point) => [at(point[0]), at(point[1]), lift([at(point[0]), at(point[1])])];
    const inside = ([, , h]) => h <= high_ + 1e-9 && h >= low - 1e-9;
    const cuts = grid.lines.map(([a, b]) => [exact(a), exact(b)]).filter((pair) => pair.every(inside)).map((pair) => line(...pair)).join("");
    const shadow = grid.lines.map((pair) => line(...pair.map(([j, i]) => [at(j), at(i), low]))).join("");

    scene.replaceChildren(...axes(place, range),
      svg("path", { d: shadow, class: "nn-line nn-green nn-shadow" }),
      svg("path", { d: nets.behind, class: "nn-net" }), ...behind,
      svg("path", { d: sheet, class: "nn-sheet nn-green" }),
      svg("path", { d: nets.front, class: "nn-net" }), svg("path", { d: cuts, class: "nn-line nn-green nn-border" }), ...front);
    set(view, { "aria-valuenow": Math.round(turn), "aria-valuetext": text.angles(fixed(turn, 0), fixed(tilt, 0)) });
    turns.value = turn;
  }

  /** The floor of the box with its two axes on the near edges, and the vertical axis at the left. */
  function axes(place, [low, high_]) {
    const floor = [[-SIDE, -SIDE], [SIDE, -SIDE], [SIDE, SIDE], [-SIDE, SIDE]].map(([a, b]) => place(a, b, low));
    const nodes = [svg("path", { d: `M${floor.map(([x, y]) => `${x.toFixed(1)} ${y.toFixed(1)}`).join("L")}Z`, class: "nn-floor" })];
    const [cx, cy] = place(0, 0, low), word = (x, y, content, name = "nn-faint", anchor = "middle") => nodes.push(svg("text", { x: x.toFixed(1), y: (y + 4).toFixed(1), class: name, "text-anchor": anchor }, content));
    const away = ([x, y], far) => {
      const size = Math.hypot(x - cx, y - cy) || 1;
      return [x + (far * (x - cx)) / size, y + (far * (y - cy)) / size];
    };
    const [c, s] = [Math.cos(turn * RADIAN), Math.sin(turn * RADIAN)], edge = (t) => (t >= 0 ? -SIDE : SIDE);
    for (const [name, spot] of [["x₁", (t) => place(t, edge(c), low)], ["x₂", (t) => place(edge(s), t, low)]]) {
      const [one, other] = [spot(-SIDE), spot(SIDE)];
      if (Math.hypot(one[0] - other[0], one[1] - other[1]) < 60) continue;
      const [x, y] = away(spot(0), 15);
      word(x, y + (tilt < 15 ? 13 : 0), name, "nn-name");  // seen from the side, the floor is a line
    }
    if (tilt <= 75) {
      const corner = [[-SIDE, -SIDE], [SIDE, -SIDE], [SIDE, SIDE], [-SIDE, SIDE]].sort((one, other) => place(...one, 0)[0] - place(...other, 0)[0])[0];
      const [foot, head] = [place(...corner, low), place(...corner, high_)];
      nodes.push(svg("path", { d: `M${foot[0]} ${foot[1]}L${head[0]} ${head[1]}`, class: "nn-floor" }));
      word(foot[0] - 5, foot[1] - 4, format(low), "nn-faint", "end");
      word(head[0] - 5, head[1] + 2, format(high_), "nn-faint", "end");
      word(foot[0] - 7, (foot[1] + head[1]) / 2, text.height[feature], "nn-name", "end");
    }
    return nodes;
  }

  function drawAll() {
    const n = model.right(points), all = points.length, bad = all - n, bias = model.theta.at(-1), signed = (x) => `${x < 0 ? "−" : "+"} ${fixed(Math.abs(x))}`;
    presets.value = own() ? "own" : preset;
    widths.enable(feature === "bump" || feature === "every");
    title.textContent = text.spaceTitle[feature];
    note.textContent = text.right(n, all) + (feature === "none" ? text.line(bad) : bad ? text.left(bad) : text.split(model.plane[2] > 0));
    seen.textContent = preset ? text.seen(text.drawn[preset], model.right(unseen), unseen.length) : "";
    const [a, b, c] = model.theta;
    formula.textContent = feature === "every" ? text.bumps(all, signed(bias))
      : text.score(`${fixed(a)} x₁ ${signed(b)} x₂ ${feature === "none" ? "" : `${signed(c)} φ(x) `}${signed(bias)}`);
    flipper.label(chosen < 0 ? text.flipNone : text.flip(chosen));
    flipper.enable(canFlip(chosen));
    drawPlane();
    drawSpace();
  }

  function refresh() {
    solveAgain();
    drawTint();
    drawAll();
  }

  function update() {
    refresh();
    host.changed();
    host.say(`${note.textContent} ${seen.textContent}`);
  }

  host.theme(drawTint);
  rebuild();
  root.append(row(presets, features, widths), html("div", { class: "nn-panels" }, plane.node, space), row(along, aslant, above, turns),
    html("div", { class: "nn-lines" }, note, seen, formula), row(freshes, flipper), html("p", { class: "nn-note" }, text.hint));
  refresh();
  const number = (x, low, high) => typeof x === "number" && x >= low && x <= high;
  return {
    state: () => ({ preset, points, feature, center, width, turn, tilt, fresh }),
    set: (state) => {
      const isPoint = (p) => Array.isArray(p) && p.length === 3 && p.slice(0, 2).every((x) => number(x, -SIDE, SIDE)) && (p[2] === 1 || p[2] === -1);
      const good = Array.isArray(state.points) && state.points.length <= 40 && state.points.every(isPoint) && new Set(state.points.map((p) => p[2])).size === 2
        && (state.preset === null || Object.hasOwn(SEEDS, state.preset)) && FEATURES.includes(state.feature)
        && Array.isArray(state.center) && state.center.length === 2 && state.center.every((x) => number(x, -SIDE, SIDE))
        && number(state.width, 0.05, 2) && number(state.turn, -180, 180) && number(state.tilt, 0, 90) && typeof state.fresh === "boolean";
      if (!good) throw new Error("this is no state of feature_lift");
      ({ preset, points, feature, center, width, turn, tilt, fresh } = state);
      chosen = -1;
      features.value = feature;
      widths.value = width;
      freshes.value = fresh;
      middle.move(...center);
      rebuild();
      refresh();
    },
  };
}

export const { mount, render } = figure({ name: "feature_lift", defaults, strings, create });
export default { render };
