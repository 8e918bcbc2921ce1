import { button, choice, clamp, figure, fixed, format, handle, html, path, player, plot, row, set, svg } from "./kit.js";

export const defaults = { preset: "separable", points: null, mistakes: 3 };

const strings = {
  en: {
    preset: "Points",
    presets: { separable: "separable", close: "nearly touching", xor: "XOR" },
    own: "your own",
    step: "Step one mistake",
    restart: "Start at w = 0",
    add: "Add a point",
    flip: (i) => `Flip point ${i + 1}`,
    remove: (i) => `Remove point ${i + 1}`,
    flipNone: "Flip a point",
    removeNone: "Remove a point",
    hint: "Drag a point, the tip of w or the middle of the line. Double click: flip a point, or add one. Keys: arrows, Enter flips, Delete removes.",
    plane: "The plane of the points, the line and its weight vector",
    wedge: "Length of the weights after each mistake, between two limits that meet at the bound",
    point: (i, y) => `Point ${i + 1}, class ${y > 0 ? "+1, disk" : "−1, triangle"}. Enter flips, Delete removes`,
    weight: "Tip of the weight vector w",
    line: "Middle of the line w·x + b = 0",
    before: "before",
    after: "after",
    mistakes: "mistakes k",
    length: "length of (w, b)",
    upper: "R√k: never above",
    lower: "γk: never below",
    bound: "bound",
    zero: "w = 0 puts every point on the line, and a point on the line counts as a mistake. Step one mistake.",
    hand: (n) => `With these weights: ${n ? `${n} point${n > 1 ? "s" : ""} on the wrong side` : "every point on its side"}.`,
    update: (k, name, y, value) => `${k ? `Mistake ${k}` : "The last mistake"} was ${name}: class ${y > 0 ? "+1" : "−1"}, but w·x + b was ${value}. So w ${y > 0 ? "gains" : "loses"} x, and b ${y > 0 ? "gains" : "loses"} 1.`,
    name: (i) => `point ${i + 1}`,
    sum: (old, sign, x, now) => `(${old}) ${sign} (${x}) = (${now})`,
    weights: "(w, b)",
    done: (k) => ` Now every point is on its side: the perceptron stops after ${k} mistake${k === 1 ? "" : "s"}.`,
    left: (n) => ` Still on the wrong side: ${n}.`,
    limit: (k, r, gamma, bound) => `${k} mistake${k === 1 ? "" : "s"} so far; the bound (R/γ)² = (${r}/${gamma})² is ${bound}.`,
    endless: (k) => `${k} mistake${k === 1 ? "" : "s"} so far. No line separates these points: γ and the bound do not exist, and the loop never ends.`,
    stale: (bound) => `The bound, ${bound} for these points, speaks of a run that starts at w = 0 with points that stay where they are.`,
    staleEndless: "No line separates these points: there is no bound.",
    terms: "R is the length of the longest (x₁, x₂, 1). γ is the largest number for which some (w, b) of length 1 keeps y(w·x + b) ≥ γ at every point.",
  },
};

// ---------------------------------------------------------------------------------------------------- mathematics

/** Points [x₁, x₂, label]; in `xor` no line separates them. */
export const PRESETS = {
  separable: [[-1.5, -0.7, -1], [-2.7, -1.7, -1], [2.7, 1.5, 1], [1.4, 2.3, 1], [-0.8, 1.5, 1], [-1.9, 0.2, -1],
    [0.5, 1.6, 1], [-0.7, -2, -1], [0.6, -2.3, -1], [-1.7, 1.2, -1], [-2.5, 0.7, -1], [1.4, 0.5, 1]],
  close: [[1.8, 0.6, 1], [1.2, -0.4, -1], [0.8, 0.5, -1], [-0.8, -1.7, -1], [0.7, 2.7, 1], [-1.4, -2.7, -1],
    [-1.3, 1.2, -1], [-0.8, -0.4, -1], [-0.1, 2.4, 1], [1.7, -2.2, -1], [2.5, -1.4, 1], [0.5, -2.4, -1]],
  xor: [[1, 1.1, -1], [-1.1, -1, -1], [1.2, -0.9, 1], [-0.9, 1.2, 1]],
};

/** w·x + b of one point, with weights [w₁, w₂, b]. */
export const activationOf = (w, [a, b]) => w[0] * a + w[1] * b + w[2];

export const isMistake = (w, point) => point[2] * activationOf(w, point) <= 0;

/** The index of the first mistake at or after `from`, in cyclic order; -1 when there is none. */
export function nextMistake(points, w, from) {
  for (let k = 0; k < points.length; k++) {
    const i = (from + k) % points.length;
    if (isMistake(w, points[i])) return i;
  }
  return -1;
}

/** The rule (w, b) <- (w, b) + y (x, 1). */
export const learn = (w, [a, b, y]) => [w[0] + y * a, w[1] + y * b, w[2] + y];

const length = (v) => Math.hypot(...v);

/** The run from w = 0 with at most `limit` mistakes: weights, their length after each mistake, the last update. */
export function run(points, limit) {
  let w = [0, 0, 0], next = 0, last = null;
  const lengths = [];
  while (lengths.length < limit) {
    const i = nextMistake(points, w, next);
    if (i < 0) break;
    last = { i, old: w };
    w = learn(w, points[i]);
    lengths.push(length(w));
    next = (i + 1) % points.length;
  }
  return { w, next, lengths, last };
}

const dot = (u, v) => u[0] * v[0] + u[1] * v[1] + u[2] * v[2];
const minus = (u, v) => [u[0] - v[0], u[1] - v[1], u[2] - v[2]];
const cross = (u, v) => [u[1] * v[2] - u[2] * v[1], u[2] * v[0] - u[0] * v[2], u[0] * v[1] - u[1] * v[0]];

/**
 * Novikoff's R and γ of the points (x, 1), and the bound (R/γ)²; γ and the bound are null when no line separates them.
 *
 * γ is the distance of the origin from the convex hull of the vectors y (x, 1). The hull's nearest point lies in a
 * corner, on an edge or in a triangle, so the best of the directions to all of these is exact.
 */
export function novikoff(points) {
  const radius = Math.max(...points.map(([a, b]) => Math.hypot(a, b, 1)));
  const vectors = points.map(([a, b, y]) => [y * a, y * b, y]);
  let gamma = -Infinity;
  const propose = (direction) => {
    const size = length(direction);
    if (size < 1e-9) return;
    let least = Infinity;
    for (const v of vectors) {
      least = Math.min(least, dot(v, direction) / size);
      if (least <= gamma) return;
    }
    gamma = least;
  };
  for (let i = 0; i < vectors.length; i++) {
    const u = vectors[i];
    propose(u);
    for (let j = 0; j < i; j++) {
      const d = minus(vectors[j], u);
      const t = -dot(u, d) / dot(d, d);
      propose([u[0] + t * d[0], u[1] + t * d[1], u[2] + t * d[2]]);
      for (let k = 0; k < j; k++) {
        const normal = cross(d, minus(vectors[k], u)), side = dot(normal, u);
        propose(side < 0 ? minus([0, 0, 0], normal) : normal);
      }
    }
  }
  if (!(gamma > 1e-9)) return { radius, gamma: null, bound: null };
  return { radius, gamma, bound: (radius / gamma) ** 2 };
}

// -------------------------------------------------------------------------------------------------------- drawing

const SIDE = 3, MOST = 24;
const snap = (x) => Math.round(clamp(x, -SIDE, SIDE) * 100) / 100;

function symbol(y) {
  return y > 0 ? svg("circle", { r: 6.5, class: "nn-fill nn-blue nn-mark" }) : svg("path", { d: "M0 -8L7.5 5.5L-7.5 5.5Z", class: "nn-fill nn-orange nn-mark" });
}

/** The part of the line w·x + b = 0 inside the square, as two ends; null when there is none. */
function segment([a, b, c]) {
  const ends = [];
  const keep = (x, y) => {
    if (Math.abs(x) <= SIDE + 1e-9 && Math.abs(y) <= SIDE + 1e-9 && !ends.some(([u, v]) => Math.hypot(u - x, v - y) < 1e-6)) ends.push([x, y]);
  };
  for (const edge of [-SIDE, SIDE]) {
    if (b !== 0) keep(edge, -(a * edge + c) / b);
    if (a !== 0) keep(-(b * edge + c) / a, edge);
  }
  return ends.length < 2 ? null : ends.slice(0, 2);
}

/** The corners of the square where w·x + b has a sign, in order around it. */
function halfPlane(w, sign) {
  const corners = [[-SIDE, -SIDE], [SIDE, -SIDE], [SIDE, SIDE], [-SIDE, SIDE]], shape = [];
  corners.forEach((p, i) => {
    const q = corners[(i + 1) % 4], at = activationOf(w, p) * sign, to = activationOf(w, q) * sign;
    if (at >= 0) shape.push(p);
    if (at * to < 0) {
      const t = at / (at - to);
      shape.push([p[0] + t * (q[0] - p[0]), p[1] + t * (q[1] - p[1])]);
    }
  });
  return shape;
}

function create(root, host) {
  const text = host.text, { preset } = host.props;
  let points = structuredClone(host.props.points ?? PRESETS[preset]);
  if (!points) throw new Error(`there is no preset ${preset}`);
  let chosen = -1;  // the point that the buttons speak of
  let hand = null;  // null, or weights that are not those of a run from 0 over these points
  let course = run(points, host.props.mistakes);
  let facts = novikoff(points);
  let scale = 1;

  const plane = plot({ width: 340, height: 330, x: [-SIDE, SIDE], y: [-SIDE, SIDE], xlabel: "x₁", ylabel: "x₂", label: text.plane, ticks: 6 });
  const wedge = plot({ width: 340, height: 330, x: [0, 4], y: [0.1, 1000], xlabel: text.mistakes, ylabel: text.length, label: text.wedge, log: true, ticks: 4 });
  // The horizontal axis is logarithmic as well: its places 0 to 4 are the powers of ten.
  [...wedge.node.querySelectorAll(".nn-axes text")].slice(0, 5).forEach((tick, i) => (tick.textContent = ["1", "10", "100", "1000", "10⁴"][i]));

  const tints = [svg("path", { class: "nn-fill nn-blue nn-tint" }), svg("path", { class: "nn-fill nn-orange nn-tint" })];
  plane.back.append(...tints);
  const drawing = svg("g");
  const marks = svg("g"), grips = svg("g"), tools = svg("g");
  plane.middle.append(drawing, marks);
  plane.front.append(grips, tools);
  plane.node.addEventListener("dblclick", (event) => {
    if (event.target.closest(".nn-handle")) return;
    const [a, b] = plane.at(event);
    if (Math.abs(a) <= SIDE && Math.abs(b) <= SIDE) add(a, b);
  });

  let handles = [];
  const weightHandle = handle(plane, { x: 0, y: 0, label: text.weight, step: [0.1, 0.1], content: svg("circle", { r: 6, class: "nn-tip" }),
    onmove: (a, b) => {
      hand = [a / scale, b / scale, weights()[2]].map((v) => Math.round(v * 100) / 100);
      update();
      return [hand[0] * scale, hand[1] * scale];
    },
    onend: () => draw() });
  const lineHandle = handle(plane, { x: 0, y: 0, label: text.line, step: [0.1, 0.1], content: svg("rect", { x: -5, y: -5, width: 10, height: 10, class: "nn-tip" }),
    onmove: (a, b) => {
      const w = weights();
      hand = [w[0], w[1], Math.round(-(w[0] * a + w[1] * b) * 100) / 100];
      update();
    },
    onend: () => draw() });
  tools.append(lineHandle.node, weightHandle.node);

  const presets = choice({ label: text.preset, value: preset, options: [...Object.keys(PRESETS).map((name) => [name, text.presets[name]]), ["own", text.own]],
    onchange: (name) => {
      if (!PRESETS[name]) return;
      points = structuredClone(PRESETS[name]);
      chosen = -1;
      restart();
      rebuild();
      update();
    } });
  const pace = player(host, { rate: () => 1.5, step: () => {
    if (hand) {
      const i = nextMistake(points, hand, course.next);
      if (i < 0) return draw(), false;
      course = { ...course, next: (i + 1) % points.length, last: { i, old: hand } };
      hand = learn(hand, points[i]);
    } else {
      const before = course.lengths.length;
      course = run(points, before + 1);
      if (course.lengths.length === before) return draw(), false;
    }
    draw();
    host.say(note.textContent);
    return nextMistake(points, weights(), 0) >= 0;
  } });
  pace.nodes[1].textContent = text.step;
  const again = button({ label: text.restart, onclick: () => {
    restart();
    update();
  } });
  const adder = button({ label: text.add, onclick: () => {
    const free = [[0, 0], [1.5, -1.5], [-1.5, 1.5], [1.5, 1.5], [-1.5, -1.5], [0, 2.5], [2.5, 0], [0, -2.5], [-2.5, 0]];
    add(...free.sort((p, q) => clearance(q) - clearance(p))[0]);
  } });
  const flipper = button({ label: text.flipNone, onclick: () => flip(chosen) });
  const remover = button({ label: text.removeNone, onclick: () => remove(chosen) });
  const note = html("p", { class: "nn-happened" }), sum = html("p", { class: "nn-sum" }), limit = html("p");

  const clearance = ([a, b]) => Math.min(...points.map(([u, v]) => Math.hypot(u - a, v - b)));
  const weights = () => hand ?? course.w;

  function restart() {
    pace.pause();
    hand = null;
    course = run(points, 0);
  }

  /** Points have changed: the weights stay, but they are no longer those of a run over these points. */
  function changed() {
    presets.value = "own";
    hand = course.lengths.length || hand ? weights() : null;
    course = { ...course, w: weights(), last: null };
    facts = novikoff(points);
  }

  function add(a, b) {
    if (points.length >= MOST) return;
    points.push([snap(a), snap(b), 1]);
    changed();
    rebuild();
    handles.at(-1).node.focus();
    update();
  }

  function flip(i) {
    points[i][2] *= -1;
    changed();
    rebuild();
    handles[i].node.focus();
    update();
  }

  function remove(i) {
    if (points.length < 3) return;
    points.splice(i, 1);
    course.next %= points.length;
    changed();
    chosen = Math.min(i, points.length - 1);
    rebuild();
    handles[chosen].node.focus();
    update();
  }

  function rebuild() {
    facts = novikoff(points);
    handles = points.map(([a, b, y], i) => {
      const grip = handle(plane, { x: a, y: b, label: text.point(i, y), step: [0.1, 0.1], content: symbol(y),
        onmove: (u, v) => {
          points[i] = [snap(u), snap(v), points[i][2]];
          changed();
          update();
          return points[i].slice(0, 2);
        },
        onend: () => draw() });
      grip.node.addEventListener("focus", () => {
        chosen = i;
        draw();
      });
      grip.node.addEventListener("dblclick", () => flip(i));
      grip.node.addEventListener("keydown", (event) => {
        if (event.key === "Enter") flip(i);
        else if (event.key === "Delete" || event.key === "Backspace") remove(i);
        else return;
        event.preventDefault();
      });
      return grip;
    });
    grips.replaceChildren(...handles.map((grip) => grip.node));
  }

  function update() {
    draw();
    host.changed();
    host.say(`${note.textContent} ${limit.textContent}`);
  }

  function arrow(from, to, name) {
    const [x1, y1, x2, y2] = [plane.X(from[0]), plane.Y(from[1]), plane.X(to[0]), plane.Y(to[1])];
    const size = Math.hypot(x2 - x1, y2 - y1);
    if (size < 1) return null;
    const [dx, dy] = [(x2 - x1) / size, (y2 - y1) / size], long = Math.min(9, size / 2);
    const line = svg("path", { d: `M${x1} ${y1}L${x2 - dx * long * 0.8} ${y2 - dy * long * 0.8}`, class: "nn-line" });
    const tip = [[0, 0], [-long, long * 0.5], [-long, -long * 0.5]].map(([s, t]) => `${x2 + s * dx - t * dy} ${y2 + s * dy + t * dx}`);
    return svg("g", { class: name }, line, svg("polygon", { points: tip.join(" "), class: "nn-fill" }));
  }

  function word(a, b, content, name, dx = 0, dy = 0) {
    const [left, top, wide, high] = plane.area, half = 3.5 * content.length + 3;
    const x = clamp(plane.X(a) + dx, left + half, left + wide - half), y = clamp(plane.Y(b) + dy, top + 14, top + high - 6);
    return svg("text", { x, y, class: `nn-halo ${name}`, "text-anchor": "middle" }, content);
  }

  function lineThrough(w, name, label, low = false) {
    const ends = segment(w);
    if (!ends) return [];
    const [p, q] = ends, end = p[1] > q[1] === low ? q : p, other = end === p ? q : p;
    const size = Math.hypot(other[0] - end[0], other[1] - end[1]), t = Math.min(0.28 / size, 0.5);
    const at = [end[0] + t * (other[0] - end[0]), end[1] + t * (other[1] - end[1])];
    return [svg("path", { d: path(plane, ends), class: `nn-line ${name}` }), label ? word(...at, label, name, 0, 4) : null];
  }

  function draw() {
    const w = weights(), { last } = course, wrong = points.filter((point) => isMistake(w, point)).length, none = w[0] === 0 && w[1] === 0;
    const old = last?.old, reach = Math.max(...w.slice(0, 2).map(Math.abs), ...(old ?? [0]).slice(0, 2).map(Math.abs));
    if (!root.querySelector(".nn-dragging")) {
      scale = 1;
      while (reach * scale > SIDE - 0.1) scale /= 2;
    }
    const small = (v) => [v[0] * scale, v[1] * scale], share = scale < 1 ? `/${1 / scale}` : "";  // w/2: drawn half as long

    tints.forEach((tint, i) => set(tint, { d: none ? "" : `${path(plane, halfPlane(w, i ? -1 : 1))}Z` }));
    const shapes = [];
    if (last) {
      const [a, b, y] = points[last.i];
      const fresh = old[0] === 0 && old[1] === 0;
      shapes.push(...lineThrough(old, "nn-muted nn-dashed", text.before, true));
      shapes.push(fresh ? null : arrow([0, 0], small(old), "nn-muted nn-old"));
      shapes.push(svg("circle", { cx: plane.X(a), cy: plane.Y(b), r: 13, class: "nn-line nn-purple" }));
      shapes.push(...lineThrough(w, "nn-ink", text.after));
      shapes.push(none ? null : arrow([0, 0], small(w), "nn-green"));
      shapes.push(arrow(small(old), small(w), "nn-purple"));
      const middle = [(old[0] + w[0]) / 2 * scale, (old[1] + w[1]) / 2 * scale], away = [w[1] - old[1], old[0] - w[0]], far = length(away) || 1;
      shapes.push(word(...middle, `${y > 0 ? "+x" : "−x"}${share}`, "nn-purple nn-strong", 14 * away[0] / far, -14 * away[1] / far + 4));
    } else if (!none) {
      shapes.push(...lineThrough(w, "nn-ink", ""), arrow([0, 0], small(w), "nn-green"));
    }
    if (!none) {
      const size = Math.hypot(w[0], w[1]);
      shapes.push(word(...small(w), `w${share}`, "nn-green nn-strong nn-name", 19 * w[0] / size, -19 * w[1] / size + 4));
    }
    drawing.replaceChildren(...shapes.filter(Boolean));

    marks.replaceChildren(...points.flatMap(([a, b, y], i) => {
      const center = { cx: plane.X(a), cy: plane.Y(b) };
      return [isMistake(w, [a, b, y]) ? svg("circle", { ...center, r: 10, class: "nn-wrong" }) : null, i === chosen ? svg("circle", { ...center, r: 16, class: "nn-chosen" }) : null].filter(Boolean);
    }));
    if (!root.querySelector(".nn-dragging")) {
      weightHandle.move(...small(w));
      const ends = none ? null : segment(w);
      lineHandle.node.style.display = ends ? "" : "none";
      if (ends) lineHandle.move((ends[0][0] + ends[1][0]) / 2, (ends[0][1] + ends[1][1]) / 2);
    }
    drawWedge();

    const numbers = (v) => v.map((x) => fixed(x)).join(", ");
    if (last) {
      const [a, b, y] = points[last.i];
      note.textContent = text.update(hand ? "" : course.lengths.length, text.name(last.i), y, fixed(activationOf(old, points[last.i])))
        + (wrong ? text.left(wrong) : hand ? "" : text.done(course.lengths.length));
      sum.replaceChildren(html("strong", {}, text.weights), " ← ", text.sum(numbers(old), y > 0 ? "+" : "−", numbers([a, b, 1]), numbers(w)));
    } else {
      note.textContent = hand ? text.hand(wrong) : text.zero;
      sum.replaceChildren(html("strong", {}, text.weights), ` = (${numbers(w)})`);
    }
    const { radius, gamma, bound } = facts, k = course.lengths.length;
    limit.textContent = hand ? (bound ? text.stale(format(bound)) : text.staleEndless)
      : bound ? text.limit(k, format(radius), format(gamma), format(bound)) : text.endless(k);
    flipper.label(chosen < 0 ? text.flipNone : text.flip(chosen));
    remover.label(chosen < 0 ? text.removeNone : text.remove(chosen));
    flipper.enable(chosen >= 0);
    remover.enable(chosen >= 0 && points.length > 2);
    adder.enable(points.length < MOST);
  }

  function drawWedge() {
    const { radius, gamma, bound } = facts, shapes = [];
    const clipped = svg("g", { "clip-path": wedge.clip });
    const curve = (f, name) => svg("path", { d: path(wedge, [[0, f(1)], [4, f(1e4)]]), class: `nn-line ${name}` });
    const upper = (k) => radius * Math.sqrt(k), lower = (k) => gamma * k;
    if (bound) {
      const end = Math.min(4, Math.log10(bound));
      clipped.append(svg("path", { d: `${path(wedge, [[0, upper(1)], [end, upper(10 ** end)], [end, lower(10 ** end)], [0, lower(1)]])}Z`, class: "nn-wedge" }));
      clipped.append(curve(lower, "nn-orange"));
      if (bound <= 1e4) clipped.append(svg("path", { d: path(wedge, [[end, 1000], [end, 0.1]]), class: "nn-line nn-ink nn-dashed" }));
      const at = Math.max(0, Math.log10(0.35 / gamma));
      shapes.push(svg("text", { x: wedge.X(at) + 14, y: wedge.Y(0.28), class: "nn-halo nn-orange" }, text.lower));
      if (bound <= 1e4) shapes.push(svg("text", { x: wedge.X(end) + (end > 2.6 ? -5 : 5), y: wedge.Y(0.13), "text-anchor": end > 2.6 ? "end" : "start", class: "nn-halo nn-ink nn-strong" }, `${text.bound} ${format(bound)}`));
    }
    clipped.append(curve(upper, "nn-blue"));
    shapes.push(svg("text", { x: wedge.X(4) - 6, y: wedge.Y(upper(1e4)) + 74, "text-anchor": "end", class: "nn-halo nn-blue" }, text.upper));
    if (!hand) {
      const dots = course.lengths.map((size, i) => [Math.log10(i + 1), size]).filter((_, i) => i < 20 || i % Math.ceil(i / 40) === 0 || i === course.lengths.length - 1);
      clipped.append(svg("path", { d: path(wedge, dots), class: "nn-line nn-green nn-thin" }),
        ...dots.map(([a, b], i) => svg("circle", { cx: wedge.X(a), cy: wedge.Y(b), r: i === dots.length - 1 ? 5 : 2.5, class: "nn-fill nn-green" })));
    }
    wedge.middle.replaceChildren(clipped, ...shapes);
  }

  rebuild();
  presets.value = host.props.points ? "own" : preset;
  draw();
  root.append(row(presets, ...pace.nodes, again), html("div", { class: "nn-panels" }, plane.node, wedge.node), html("div", { class: "nn-lines" }, note, sum, limit),
    row(adder, flipper, remover), html("p", { class: "nn-note" }, text.hint, " ", text.terms));
  return {
    state: () => ({ points, mistakes: course.lengths.length, ...(hand ? { weights: hand.map((x) => +x.toFixed(4)) } : {}) }),
    set: (state) => {
      const good = Array.isArray(state.points) && state.points.length >= 2 && state.points.length <= MOST
        && state.points.every((p) => p.length === 3 && p.slice(0, 2).every((x) => Math.abs(x) <= SIDE) && Math.abs(p[2]) === 1);
      if (!good || (state.weights && !(state.weights.length === 3 && state.weights.every(Number.isFinite)))) throw new Error("this is no state of the perceptron");
      pace.pause();
      points = state.points;
      course = run(points, clamp(state.mistakes, 0, 1e5));
      hand = state.weights ?? null;
      if (hand) course.last = null;
      chosen = -1;
      const name = Object.keys(PRESETS).find((each) => JSON.stringify(PRESETS[each]) === JSON.stringify(points));
      presets.value = name ?? "own";
      rebuild();
      draw();
    },
  };
}

export const { mount, render } = figure({ name: "perceptron", defaults, strings, create });

export default { render };
