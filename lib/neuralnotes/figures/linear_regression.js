import { button, choice, clamp, figure, fixed, format, handle, heat, html, mix, palette, path, player, plot, row, set, slider, svg, toggle } from "./kit.js";

export const defaults = {
  points: null, // null: the eight of POINTS
  centered: false,
  rate: 0.18,
  cases: "all",
  start: null, // slope, and height at x = 0
  steps: 12, // taken when the figure opens
  squares: false,
};

const strings = {
  en: {
    uses: "A step uses",
    options: { all: (n) => `all ${n} cases`, one: () => "one case, in turn" },
    rate: "Learning rate η",
    center: "Center x",
    squares: "Squares",
    solve: "To the minimum",
    again: "Start again",
    points: "The points, the line ŷ, and the residuals between them",
    bowl: "Map of the loss over slope w and intercept b: every place is a line. With the present line, its path, and the minimum",
    point: (i) => `Point ${i + 1}`,
    slope: "Slope w of the line",
    height: "Intercept b of the line, its height where x counts from",
    line: "The line as a point in the bowl: w and b",
    w: "slope w",
    b: "b: height at x = 0",
    centeredB: "b: height at the mean of x",
    equation: (w, b, mean) => (mean ? ["ŷ = ", w, " (", "x", ` − ${mean}) ${b}`] : ["ŷ = ", w, " ", "x", ` ${b}`]),
    loss: (value) => `L(w, b) = ${value}`,
    minimum: "minimum",
    best: "best line",
    off: "off the map",
    fits: (i) => `lines through point ${i}`,
    opened: (value, least) => `L = ${value} on this line; no line has less than ${least}.`,
    moved: { line: "You moved the line.", points: "You moved a point, so the bowl is another one.", center: "The same line at the start, another bowl." },
    all: (k, before, after) => `Step ${k}, on all cases: L went from ${before} to ${after}.`,
    rose: " The step was too long.",
    one: (k, i, before, after, factor) => `Step ${k}, on point ${i}: its residual y − ŷ went from ${before} to ${after}, times ${factor}.`,
    solved: (least) => `Least squares computes the minimum at once: L = ${least}.`,
    there: (k, least) => `Step ${k}: the minimum, L = ${least} to four decimals.`,
    lost: (k) => `Diverged: after ${k} steps the line has left every map.`,
    tired: (k) => `${k} steps, the most that this figure takes. Press Start again.`,
    gradient: (dw, db) => `∂L/∂w = ${dw}, ∂L/∂b = ${db}.`,
    way: (angle, far) => ` Downhill is ${angle}° off the way to the minimum, which is ${far} away.`,
    next: (size) => ` The next step is ${size} long.`,
    shape: (high, low, condition) => `The bowl curves with λ = ${high} across its valley and ${low} along it: κ = ${condition}.`,
    flat: " All points stand above one x, so the valley is level and a whole line of minima lies in it.",
    limit: (high, limit) => ` Steps on all cases converge for η < 2/${high} = ${limit}.`,
    over: (rate, factor) => `η = ${rate} is above it: each step across the valley is times ${factor}, so it diverges.`,
    near: (i, input, factor) => ` Next is point ${i}: its residual will be times 1 − η (${input.startsWith("−") ? `(${input})` : input}² + 1) = ${factor}.`,
    worse: (limit) => `The next step makes its residual larger: this point alone needs η < ${limit}.`,
  },
};

// ---------------------------------------------------------------------------------------------------- mathematics

export const POINTS = [[1.3, 1.9], [1.7, 1.5], [2.2, 2.6], [2.6, 2.3], [3.2, 3.3], [3.7, 3], [4.2, 4.2], [4.6, 3.7]];
const START = [-0.6, 3];
const SIDE = 5; // points lie in the square from 0 to 5
const MOST = 2000; // steps
const LOST = 1e6;
const KINDS = ["all", "one", "solve"];
const RATES = [0.005, 0.01, 0.02, 0.03, 0.05, 0.07, 0.1, 0.12, 0.14, 0.15, 0.16, 0.17, 0.18, 0.19, 0.2, 0.22, 0.25, 0.3, 0.4, 0.5, 0.7, 0.9, 1, 1.2, 1.4, 1.6, 1.8, 2];

const mean = (list) => list.reduce((sum, x) => sum + x, 0) / list.length;

/** The points as the model reads them: x counts from 0, or from its mean. */
export function inputs(points, centered) {
  const from = centered ? mean(points.map(([x]) => x)) : 0;
  return points.map(([x, y]) => [x - from, y]);
}

/** L = (1/2N) Σ (w x + b − y)². */
export const loss = (cases, [w, b]) => mean(cases.map(([x, y]) => (w * x + b - y) ** 2)) / 2;

/** [∂L/∂w, ∂L/∂b]. */
export const gradient = (cases, [w, b]) => [mean(cases.map(([x, y]) => (w * x + b - y) * x)), mean(cases.map(([x, y]) => w * x + b - y))];

/** One step of gradient descent on all cases. */
export function batchStep(cases, line, rate) {
  const [dw, db] = gradient(cases, line);
  return [line[0] - rate * dw, line[1] - rate * db];
}

/** The delta rule on one case: w += η (y − ŷ) x, b += η (y − ŷ). */
export function caseStep([x, y], [w, b], rate) {
  const residual = y - (w * x + b);
  return [w + rate * residual * x, b + rate * residual];
}

/** The least-squares line; the one of smallest w² + b² where all x are equal. */
export function leastSquares(cases) {
  const x = mean(cases.map((c) => c[0])), y = mean(cases.map((c) => c[1]));
  const spread = mean(cases.map((c) => (c[0] - x) ** 2));
  if (spread < 1e-12) return [(y * x) / (x * x + 1), y / (x * x + 1)];
  const w = mean(cases.map((c) => (c[0] - x) * (c[1] - y))) / spread;
  return [w, y - w * x];
}

/** Eigenvalues of the Hessian [[mean of x², mean of x], [mean of x, 1]], the larger first, and the angle of its direction from the w axis. */
export function curvature(cases) {
  const x = mean(cases.map((c) => c[0])), square = mean(cases.map((c) => c[0] ** 2)), spread = mean(cases.map((c) => (c[0] - x) ** 2));
  const high = (square + 1) / 2 + Math.hypot((square - 1) / 2, x);
  const low = spread < 1e-12 ? 0 : spread / high; // the determinant is the variance of x
  return { high, low, condition: high / low, angle: Math.atan2(2 * x, square - 1) / 2 };
}

/** Degrees between downhill and the way to the minimum; null at the minimum. */
export function astray(cases, line) {
  const [dw, db] = gradient(cases, line), least = leastSquares(cases), way = [least[0] - line[0], least[1] - line[1]];
  const size = Math.hypot(dw, db) * Math.hypot(...way);
  if (size < 1e-9) return null;
  return (Math.acos(clamp(-(dw * way[0] + db * way[1]) / size, -1, 1)) * 180) / Math.PI;
}

/** The line after this one (both as [w, b]); `turn` says how many cases have had their turn. */
function advance(cases, line, kind, rate, turn) {
  if (kind === "solve") return leastSquares(cases);
  return kind === "all" ? batchStep(cases, line, rate) : caseStep(cases[turn % cases.length], line, rate);
}

const lost = (line) => Math.abs(line[0]) > LOST || Math.abs(line[1]) > LOST;

/**
 * All lines of a run. `moves` has rows [kind, rate, count]: kind "all" for steps on all cases, "one" for the delta
 * rule on the next case in turn, "solve" for the least-squares line. Ends early when the run diverges.
 */
export function walk(cases, start, moves) {
  const trail = [start];
  let turn = 0;
  for (const [kind, rate, count] of moves) {
    for (let k = 0; k < count && !lost(trail.at(-1)); k++) {
      trail.push(advance(cases, trail.at(-1), kind, rate, turn));
      if (kind === "one") turn += 1;
    }
  }
  return trail;
}

// ----------------------------------------------------------------------------------------------------- the figure

const BOX = [-0.4, 5.6]; // both axes of the points: one unit is as long up as to the right, so squares are squares
const SPAN = 5.6; // of both axes of the bowl, for the same reason: downhill is at a right angle to the contours
const STEEP = 10; // slope of a line that is picked up after it has run away
const DOTS = 60; // of the last steps
const GRID = 48;
const show = (x) => (x < 10 ? fixed(x, 4) : format(x));
const round = (x, digits = 2) => +x.toFixed(digits);
const signed = (x) => `${x < 0 ? "−" : "+"} ${fixed(Math.abs(x))}`;

function create(root, host) {
  const { text, props } = host;
  let points = structuredClone(props.points ?? POINTS);
  let { centered, rate, cases: kind, squares } = props;
  let start = props.start ?? START; // slope, and height at x = 0
  let moves = props.steps ? [[kind, rate, props.steps]] : [];
  let cause = null; // what the reader did last, where it was no step
  let from, data, trail, bowl;

  const raw = ([w, b]) => [w, b - w * from]; // height at x = 0 from the height where x counts from
  const own = ([w, b]) => [w, b + w * from];
  const line = () => trail.at(-1);
  const count = (...kinds) => moves.reduce((sum, [each, , n]) => sum + (kinds.includes(each) ? n : 0), 0);
  const turn = () => count("one") % points.length;

  function compute() {
    from = centered ? mean(points.map(([x]) => x)) : 0;
    data = inputs(points, centered);
    trail = walk(data, own(start), moves);
  }

  /** The run begins here and now. */
  function restart(at, why) {
    pace.pause();
    start = at.map((x) => round(x, 4));
    moves = [];
    cause = why;
    compute();
  }

  // ------------------------------------------------------------------------------------------------ the points
  const plane = plot({ height: 346, x: BOX, y: BOX, xlabel: "x", ylabel: "y", title: " ", label: text.points });
  const under = svg("g", { "clip-path": plane.clip }), naming = svg("g"), grips = svg("g"), knobs = svg("g");
  plane.middle.append(under, naming);
  plane.front.append(grips, knobs);
  const equation = plane.node.querySelector(".nn-title");
  const far = () => (from > 3.5 ? 0 : SIDE); // where the handle of the slope is
  const knob = (name, turned) => svg("g", {}, svg("rect", { x: -6, y: -6, width: 12, height: 12, rx: 2, class: "nn-knob", transform: turned ? "rotate(45)" : undefined }),
    svg("text", { x: 0, y: -13, "text-anchor": "middle", "font-style": "italic", class: "nn-halo nn-orange nn-name" }, name));
  const slope = handle(plane, { x: SIDE, y: 0, lock: "y", label: text.slope, step: [0.1, 0.1], content: knob("w", true),
    onmove: (x, y) => {
      if (y !== slope.y) moveLine([round((y - clamp(line()[1], ...BOX)) / (x - from)), clamp(line()[1], ...BOX)]);
    } });
  const height = handle(plane, { x: 0, y: 0, lock: "y", label: text.height, step: [0.1, 0.1], content: knob("b"),
    onmove: (x, y) => {
      if (y !== height.y) moveLine([clamp(line()[0], -STEEP, STEEP), round(y)]);
    } });
  say(slope, ([w]) => `w = ${fixed(w)}`);
  say(height, ([, b]) => `b = ${fixed(b)}`);
  knobs.append(height.node, slope.node);
  const handles = points.map(([x, y], i) =>
    handle(plane, { x, y, label: text.point(i), bounds: { x: [0, SIDE], y: [0, SIDE] }, step: [0.1, 0.1], content: svg("circle", { r: 6, class: "nn-case" }),
      onmove: (a, b) => {
        const kept = raw(line());
        points[i] = [round(a), round(b)];
        restart(lost(kept) ? start : kept, "points");
        draw();
        tell();
        return points[i];
      },
      onend: () => {
        build();
        draw();
      } }));
  grips.append(...handles.map((each) => each.node));

  /** A handle that tells a screen reader of the line instead of its own place. */
  function say(knob, words) {
    const move = knob.move;
    knob.move = (a, b) => {
      move(a, b);
      if (trail) set(knob.node, { "aria-valuetext": words(line()) });
    };
  }

  function moveLine(to) {
    restart(raw(to), "line");
    draw();
    tell();
  }

  // -------------------------------------------------------------------------------------------------- the bowl
  const panels = html("div", { class: "nn-panels" }, plane.node);

  /** Axes around the minimum; they change with the points and with centering only. */
  function build() {
    const least = leastSquares(data), [cw, cb] = least.map(Math.round), half = SPAN / 2;
    if (bowl && bowl.center[0] === cw && bowl.center[1] === cb && bowl.centered === centered) return;
    const p = plot({ height: 346, x: [cw - half, cw + half], y: [cb - half, cb + half], xlabel: text.w, ylabel: centered ? text.centeredB : text.b, title: " ", label: text.bowl, ticks: 6 });
    p.node.classList.add("nn-map");
    if (bowl) bowl.node.replaceWith(p.node);
    else panels.append(p.node);
    const [left, top, width, high] = p.area;
    bowl = { ...p, center: [cw, cb], centered, scale: width / SPAN, title: p.node.querySelector(".nn-title") };
    bowl.heat = heat({ x: left, y: top, width, height: high, rows: GRID, columns: GRID, smooth: true });
    bowl.rings = svg("g", { "clip-path": p.clip });
    bowl.lines = svg("g", { "clip-path": p.clip });
    bowl.words = svg("g", { class: "nn-words" });
    bowl.point = handle(p, { x: cw, y: cb, label: text.line, step: [0.05, 0.05],
      onmove: (w, b) => moveLine([round(w), round(b)]) });
    say(bowl.point, ([w, b]) => `w = ${fixed(w)}, b = ${fixed(b)}`);
    p.back.append(bowl.heat.node, bowl.rings);
    p.middle.append(bowl.lines, bowl.words);
    p.front.append(bowl.point.node);
  }

  function shade() {
    const { x, y } = bowl, colors = palette(root), least = loss(data, leastSquares(data));
    const at = (i, j) => loss(data, [x[0] + ((j + 0.5) / GRID) * SPAN, y[1] - ((i + 0.5) / GRID) * SPAN]) - least;
    const most = Math.max(at(0, 0), at(0, GRID - 1), at(GRID - 1, 0), at(GRID - 1, GRID - 1));
    bowl.shaded = data;
    bowl.heat.draw((i, j) => mix(colors.paper, colors.muted, 0.4 * (at(i, j) / most) ** 0.4));
  }

  // -------------------------------------------------------------------------------------------------- controls
  const uses = choice({ label: text.uses, value: kind, options: Object.entries(text.options).map(([name, words]) => [name, words(points.length)]),
    onchange: (name) => {
      kind = name;
      draw();
      tell();
    } });
  const pacing = slider({ label: text.rate, values: RATES, value: rate,
    oninput: (x) => {
      rate = x;
      draw();
      tell();
    } });
  const centering = toggle({ label: text.center, value: centered,
    onchange: (yes) => {
      centered = yes;
      restart(start, "center");
      build();
      draw();
      tell();
    } });
  const squaring = toggle({ label: text.squares, value: squares,
    onchange: (yes) => {
      squares = yes;
      draw();
      host.changed();
    } });
  const pace = player(host, { rate: () => 20, step: () => {
    take(kind);
    draw();
    host.say(note.textContent);
    return !done();
  } });
  const solver = button({ label: text.solve, onclick: () => {
    pace.pause();
    take("solve");
    draw();
    tell();
  } });
  const again = button({ label: text.again, onclick: () => {
    restart(start, null);
    draw();
    tell();
  } });
  const note = html("p", { class: "nn-happened" }), slopes = html("p"), shape = html("p"), warning = html("p", { class: "nn-strong" });

  const steps = () => count("all", "one");
  const excess = () => loss(data, line()) - loss(data, leastSquares(data));
  const done = () => lost(line()) || steps() >= MOST || (moves.at(-1)?.[0] === "all" && excess() < 1e-6);

  function take(what) {
    if (lost(line()) || (what !== "solve" && steps() >= MOST) || (what === "solve" && moves.at(-1)?.[0] === "solve")) return;
    cause = null;
    trail.push(advance(data, line(), what, rate, turn()));
    const last = moves.at(-1);
    if (last && last[0] === what && last[1] === rate) last[2] += 1;
    else moves.push([what, rate, 1]);
  }

  function tell() {
    host.say(`${note.textContent} ${warning.textContent}`);
    host.changed();
  }

  // --------------------------------------------------------------------------------------------------- drawing
  function draw() {
    const now = line(), [w, b] = now, least = leastSquares(data), dragged = root.querySelector(".nn-dragging");
    const next = advance(data, now, kind, rate, turn());
    const gone = lost(now);

    // Left: residuals, the line, and the best line
    const across = (l) => path(plane, BOX.map((x) => [x, clamp(l[1] + l[0] * (x - from), -1e3, 1e3)]));
    under.replaceChildren(
      svg("path", { d: path(plane, [[from, BOX[0]], [from, BOX[1]]]), class: "nn-line nn-muted nn-zero" }),
      ...(squares ? points.map(([x, y], i) => {
        const r = clamp(w * data[i][0] + b - y, -20, 20), size = Math.abs(r) * (plane.X(1) - plane.X(0));
        return svg("rect", { x: plane.X(x) - (r < 0 ? size : 0), y: plane.Y(Math.max(y, y + r)), width: size, height: size, class: "nn-square" });
      }) : []),
      ...points.map(([x, y], i) => svg("path", { d: path(plane, [[x, y], [x, clamp(w * data[i][0] + b, -1e3, 1e3)]]), class: "nn-line nn-blue nn-thin" })),
      svg("path", { d: across(least), class: "nn-line nn-green nn-dashed" }),
      svg("path", { d: across(now), class: "nn-line nn-orange nn-wide-line" }),
      ...(kind === "one" ? [svg("circle", { cx: plane.X(points[turn()][0]), cy: plane.Y(points[turn()][1]), r: 11, class: "nn-line nn-purple" })] : []),
    );
    const edge = plane.y[0] + 0.5 > least[1] - from * least[0] ? 0.9 : 0.1; // "best line" stands below it, near its left end
    naming.replaceChildren(...(excess() > 1e-3 ? [svg("text", { x: plane.X(edge) + 4, y: plane.Y(clamp(least[1] + least[0] * (edge - from), 0, SIDE)) + 16, class: "nn-halo nn-green" }, text.best)] : []));
    equation.replaceChildren(...text.equation(fixed(w), signed(b), centered ? fixed(from) : "").map((part) => (part === "x" ? svg("tspan", { "font-style": "italic" }, part) : part)));
    if (!dragged || dragged !== slope.node) slope.move(far(), clamp(b + w * (far() - from), ...BOX));
    if (!dragged || dragged !== height.node) height.move(from, clamp(b, ...BOX));
    handles.forEach((each, i) => each.move(...points[i]));

    drawBowl(now, next, least, gone, dragged);
    words(now, least, gone);
  }

  function drawBowl(now, next, least, gone, dragged) {
    if (bowl.shaded !== data) shade();
    const { X, Y, scale } = bowl, { high, low, angle } = curvature(data);
    const ring = (rise, name) => svg("ellipse", { rx: scale * Math.sqrt((2 * rise) / high), ry: scale * Math.min(1e3, Math.sqrt((2 * rise) / Math.max(low, 1e-9))),
      transform: `translate(${X(least[0])} ${Y(least[1])}) rotate(${(-angle * 180) / Math.PI})`, class: name });
    bowl.rings.replaceChildren(...[0.01, 0.05, 0.2, 0.8, 3.2, 12.8, 51.2].map((rise) => ring(rise, "nn-ring")));

    const inside = ([w, b]) => [clamp(w, ...bowl.x), clamp(b, ...bowl.y)];
    const shapes = [], labels = [];
    const [x, y] = points[turn()];
    if (kind === "one") {
      const through = (w) => [w, y - w * (x - from)];
      shapes.push(svg("path", { d: path(bowl, bowl.x.map(through)), class: "nn-line nn-purple nn-dashed" }));
      // its name near an end, where it covers neither the minimum nor the present line
      const [low, high] = [[bowl.x[0] + 0.15, bowl.y[0] + 0.25], [bowl.x[1] - 0.15, bowl.y[1] - 0.35]], lever = x - from;
      const ends = [through(low[0]), through(high[0]), ...(lever ? [low, high].map(([, b]) => [(y - b) / lever, b]) : [])]
        .filter((p) => p.every((v, k) => v > low[k] - 1e-9 && v < high[k] + 1e-9));
      const room = (p) => Math.min(...[least, inside(now)].map((q) => Math.hypot(p[0] - q[0], p[1] - q[1])));
      const end = ends.sort((p, q) => room(q) - room(p))[0], right = end && end[0] > bowl.center[0];
      if (end) labels.push(svg("text", { x: X(end[0]) + (right ? -7 : 7), y: Y(end[1]) + 4, "text-anchor": right ? "end" : "start", class: "nn-halo nn-purple" }, text.fits(turn() + 1)));
    } else if (!gone && excess() > 1e-6) {
      shapes.push(ring(excess(), "nn-ring nn-level"));
    }
    const shown = trail.map(([w, b]) => [clamp(w, -1e3, 1e3), clamp(b, -1e3, 1e3)]);
    shapes.push(svg("path", { d: path(bowl, shown), class: "nn-line nn-orange nn-path" }),
      svg("path", { d: shown.slice(-DOTS).map((p) => `${path(bowl, [p])}h0`).join(""), class: "nn-line nn-orange nn-dots" }));
    // Downhill, and where the next step lands
    const go = [X(next[0]) - X(now[0]), Y(next[1]) - Y(now[1])], size = Math.hypot(...go);
    if (!gone && size > 0.02) {
      const [ux, uy] = go.map((each) => each / size), long = Math.max(size, 34), [px, py] = [X(now[0]), Y(now[1])];
      const tip = [px + ux * long, py + uy * long];
      shapes.push(svg("g", { class: "nn-ink" }, svg("path", { d: `M${px} ${py}L${tip[0] - ux * 6} ${tip[1] - uy * 6}`, class: "nn-line nn-thin" }),
        svg("polygon", { points: [[0, 0], [-9, 4], [-9, -4]].map(([s, t]) => `${tip[0] + s * ux - t * uy},${tip[1] + s * uy + t * ux}`).join(" "), class: "nn-fill" })));
    }
    shapes.push(svg("path", { d: "M-6 -6L6 6M-6 6L6 -6", class: "nn-line nn-green nn-cross", transform: `translate(${X(least[0])} ${Y(least[1])})` }));
    bowl.lines.replaceChildren(...shapes);
    labels.push(svg("text", { x: X(least[0]) + 11, y: Y(least[1]) + 15, class: "nn-halo nn-green" }, text.minimum));
    const [u, v] = inside(now);
    if (u !== now[0] || v !== now[1]) {
      const [left, top, width, high] = bowl.area;
      labels.push(svg("text", { x: clamp(X(u), left + 44, left + width - 44), y: clamp(Y(v) + 24, top + 24, top + high - 14), "text-anchor": "middle", class: "nn-halo nn-orange" }, text.off));
    }
    bowl.words.replaceChildren(...labels);
    if (dragged !== bowl.point.node) bowl.point.move(...inside(now));
    bowl.title.textContent = text.loss(show(loss(data, now)));
  }

  function words(now, least, gone) {
    const [w, b] = now;
    const value = show(loss(data, now)), lowest = show(loss(data, least)), last = moves.at(-1), k = steps();
    const { high, low, condition } = curvature(data), [dw, db] = gradient(data, now), limit = 2 / high;
    if (gone) note.textContent = text.lost(k);
    else if (!last) note.textContent = `${cause ? `${text.moved[cause]} ` : ""}${text.opened(value, lowest)}`;
    else if (last[0] === "solve") note.textContent = text.solved(lowest);
    else if (k >= MOST) note.textContent = text.tired(k);
    else if (last[0] === "one") {
      const i = (count("one") - 1) % data.length, [x, y] = data[i], residual = ([w, b]) => fixed(y - w * x - b);
      note.textContent = text.one(k, i + 1, residual(trail.at(-2)), residual(now), fixed(1 - last[1] * (x * x + 1)));
    } else if (excess() < 1e-6) note.textContent = text.there(k, lowest);
    else {
      const before = loss(data, trail.at(-2));
      note.textContent = text.all(k, show(before), value) + (loss(data, now) > before ? text.rose : "");
    }
    const angle = gone || excess() < 1e-6 ? null : astray(data, now);
    slopes.textContent = gone ? "" : text.gradient(format(round(dw, 6)), format(round(db, 6)))
      + (angle === null ? "" : text.way(Math.round(angle), format(Math.hypot(least[0] - w, least[1] - b))) + (kind === "all" ? text.next(format(rate * Math.hypot(dw, db))) : ""));
    shape.textContent = text.shape(format(high), format(low), format(condition)) + (low === 0 ? text.flat : "") + (kind === "all" ? text.limit(format(high), format(limit)) : "");
    const i = turn(), square = data[i][0] ** 2 + 1, factor = 1 - rate * square;
    if (kind === "one" && !gone) shape.textContent += text.near(i + 1, format(data[i][0]), fixed(factor));
    if (kind === "all") warning.textContent = rate > limit ? text.over(format(rate), fixed(1 - rate * high)) : "";
    else warning.textContent = factor < -1 ? text.worse(format(2 / square)) : "";
  }

  compute();
  build();
  draw();
  host.theme(shade);
  root.append(row(uses, pacing), row(...pace.nodes, solver, again, centering, squaring), panels, html("div", { class: "nn-lines" }, note, slopes, shape, warning));

  return {
    state: () => ({ points, centered, rate, cases: kind, start, moves, squares, line: raw(line()).map((x) => round(x, 4)) }),
    set(given) {
      const numbers = (list, n) => Array.isArray(list) && list.length === n && list.every(Number.isFinite);
      const good = Array.isArray(given.points) && given.points.length === points.length
        && given.points.every((p) => numbers(p, 2) && p.every((x) => x >= 0 && x <= SIDE))
        && [given.centered, given.squares].every((yes) => typeof yes === "boolean") && ["all", "one"].includes(given.cases)
        && given.rate > 0 && given.rate <= 2 && numbers(given.start, 2) && given.start.every((x) => Math.abs(x) <= 10 * LOST)
        && Array.isArray(given.moves) && given.moves.every((move) => Array.isArray(move) && move.length === 3 && KINDS.includes(move[0])
          && move[1] > 0 && move[1] <= 2 && Number.isInteger(move[2]) && move[2] > 0)
        && given.moves.reduce((sum, move) => sum + move[2], 0) <= 2 * MOST;
      if (!good) throw new Error("this is no state of linear_regression");
      pace.pause();
      ({ points, centered, rate, cases: kind, start, moves, squares } = given);
      [uses.value, pacing.value, centering.value, squaring.value] = [kind, rate, centered, squares];
      cause = null;
      compute();
      build();
      draw();
    },
  };
}

export const { mount, render } = figure({ name: "linear_regression", defaults, strings, create });

export default { render };
