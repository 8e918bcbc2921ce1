/**
 * What every live figure shares: mounting, controls, plots, draggable points, colors that follow the theme.
 *
 * A figure is one module. It calls `figure({ name, defaults, strings, create })` and exports what comes back:
 *
 *     export const { mount, render } = figure({ name: "perceptron", defaults, strings, create });
 *     export default { render };
 *
 * `mount(element, props)` shows it on a page, `render({ model, el })` in a notebook (anywidget).
 */

// ------------------------------------------------------------------------------------------------------- elements

const SVG = "http://www.w3.org/2000/svg";

function fill(node, attributes, children) {
  for (const [key, value] of Object.entries(attributes ?? {})) {
    if (value === undefined || value === null || value === false) continue;
    if (key.startsWith("on")) node.addEventListener(key.slice(2), value);
    else node.setAttribute(key, value === true ? "" : value);
  }
  node.append(...children.filter((child) => child !== undefined && child !== null));
  return node;
}

/** An HTML element; `onclick` and the like are listeners, children are nodes or text. */
export function html(tag, attributes, ...children) {
  return fill(document.createElement(tag), attributes, children);
}

/** An SVG element. */
export function svg(tag, attributes, ...children) {
  return fill(document.createElementNS(SVG, tag), attributes, children);
}

/** Change attributes of an element that is there. */
export function set(node, attributes) {
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  return node;
}

// -------------------------------------------------------------------------------------------------------- numbers

/** A number for people: a true minus sign, and as many digits as are worth reading. */
export function format(x, digits = 3) {
  if (Number.isNaN(x)) return "not a number";
  if (!Number.isFinite(x)) return x > 0 ? "∞" : "−∞";
  if (x === 0) return "0";
  const size = Math.abs(x);
  let text = size >= 10 ** digits || size < 1e-3 ? x.toExponential(Math.max(0, digits - 1)) : x.toPrecision(digits);
  if (!text.includes("e") && text.includes(".")) text = text.replace(/0+$/, "").replace(/\.$/, "");
  text = text.replace(/e([+-])(\d+)/, (_, sign, power) => `·10${superscript((sign === "-" ? "-" : "") + power)}`);
  return text.replace(/^-/, "−");
}

/** A number with a fixed count of decimals and a true minus sign. */
export function fixed(x, decimals = 2) {
  if (!Number.isFinite(x)) return format(x);
  return x.toFixed(decimals).replace(/^-(0(?:\.0*)?)$/, "$1").replace(/^-/, "−");
}

function superscript(text) {
  return [...text].map((letter) => ({ "-": "⁻" })[letter] ?? "⁰¹²³⁴⁵⁶⁷⁸⁹"[+letter]).join("");
}

export const clamp = (x, low, high) => Math.min(high, Math.max(low, x));

/** Seeded numbers (mulberry32): `uniform()` in [0, 1), `normal()`, `integer(n)`, `shuffle(list)`. */
export function random(seed) {
  let state = seed >>> 0;
  const uniform = () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
  const normal = () => Math.sqrt(-2 * Math.log(1 - uniform())) * Math.cos(2 * Math.PI * uniform());
  const integer = (n) => Math.floor(uniform() * n);
  const shuffle = (list) => {
    for (let i = list.length - 1; i > 0; i--) {
      const j = integer(i + 1);
      [list[i], list[j]] = [list[j], list[i]];
    }
    return list;
  };
  return { uniform, normal, integer, shuffle };
}

// --------------------------------------------------------------------------------------------------------- colors

const NAMES = ["ink", "muted", "grid", "paper", "blue", "orange", "green", "purple", "brown"];

/** The colors of the present theme as [r, g, b], for canvases. SVG and HTML use the variables `--nn-...` instead. */
export function palette(root) {
  const style = getComputedStyle(root);
  return Object.fromEntries(NAMES.map((name) => [name, parseColor(style.getPropertyValue(`--nn-${name}`))]));
}

function parseColor(text) {
  const digits = text.trim().replace("#", "");
  return [0, 2, 4].map((start) => parseInt(digits.slice(start, start + 2), 16));
}

/** Between two colors: `mix(a, b, 0)` is a, `mix(a, b, 1)` is b. */
export const mix = (a, b, t) => a.map((channel, i) => Math.round(channel + (b[i] - channel) * clamp(t, 0, 1)));

export const css = (color) => `rgb(${color.join(" ")})`;

/** From orange at -1 over the paper at 0 to blue at 1, as in neuralnotes.plots. */
export const diverging = (colors, t) => mix(colors.paper, t < 0 ? colors.orange : colors.blue, Math.abs(t));

/** From the paper at 0 to blue at 1. */
export const sequential = (colors, t) => mix(colors.paper, colors.blue, t);

// ------------------------------------------------------------------------------------------------------- controls

let counter = 0;
const newId = (stem) => `nn-${stem}-${(counter += 1)}`;

/** A button. The object's `node` is the element; `label(text)` changes the words. */
export function button({ label, title, onclick, primary = false }) {
  const node = html("button", { type: "button", class: primary ? "nn-button nn-primary" : "nn-button", title, onclick }, label);
  return { node, label: (text) => (node.textContent = text), enable: (yes) => (node.disabled = !yes) };
}

/**
 * A slider with its label and value. `values` (a list in rising order) makes it choose from the list, which a value
 * from elsewhere enters; else min, max, step.
 * @returns {{node: Element, value: number}} `value` can be set; that does not call `oninput`.
 */
export function slider({ label, min = 0, max, step = 1, values, value, show = (x) => format(x), oninput }) {
  const list = values && [...values];
  const id = newId("slider");
  const output = html("output", { for: id, class: "nn-value" });
  const input = html("input", { type: "range", id, min: list ? 0 : min, max: list ? list.length - 1 : max, step: list ? 1 : step });
  const read = () => (list ? list[+input.value] : +input.value);
  const write = () => {
    output.textContent = show(read());
    input.setAttribute("aria-valuetext", show(read()));
  };
  input.addEventListener("input", () => {
    write();
    oninput(read());
  });
  const node = html("div", { class: "nn-control" }, html("label", { for: id }, label), input, output);
  const control = {
    node,
    get value() {
      return read();
    },
    set value(x) {
      if (list && !list.includes(x)) {
        list.push(x);
        list.sort((a, b) => a - b);
        input.max = list.length - 1;
      }
      input.value = list ? list.indexOf(x) : x;
      write();
    },
    enable: (yes) => (input.disabled = !yes),
  };
  control.value = value;
  return control;
}

/** A choice from a list of `[value, text]`. */
export function choice({ label, options, value, onchange }) {
  const id = newId("choice");
  const node = html("select", { id, onchange: () => onchange(options[node.selectedIndex][0]) },
    ...options.map(([, text]) => html("option", {}, text)));
  const control = {
    node: html("div", { class: "nn-control" }, html("label", { for: id }, label), node),
    get value() {
      return options[node.selectedIndex][0];
    },
    set value(x) {
      node.selectedIndex = options.findIndex(([name]) => name === x);
    },
    enable: (yes) => (node.disabled = !yes),
  };
  control.value = value;
  return control;
}

/** A checkbox. */
export function toggle({ label, value, onchange }) {
  const input = html("input", { type: "checkbox", onchange: () => onchange(input.checked) });
  input.checked = value;
  return {
    node: html("label", { class: "nn-toggle" }, input, label),
    get value() {
      return input.checked;
    },
    set value(x) {
      input.checked = x;
    },
  };
}

/** A line of controls, that wraps. */
export const row = (...nodes) => html("div", { class: "nn-row" }, ...nodes.map((item) => item.node ?? item));

/**
 * Play, pause and step. `step()` is called `rate()` times a second and returns false when there is nothing more to do.
 * Nothing plays while the figure is off the screen, and nothing plays before the reader says so.
 */
export function player(host, { step, rate = () => 10, label }) {
  const words = host.words;
  let timer = 0;
  const act = () => {
    const more = step() !== false;
    host.changed();
    if (!more) pause();
  };
  const tick = () => {
    if (host.visible() && !document.hidden) act();
    if (timer) timer = setTimeout(tick, 1000 / rate());
  };
  const play = () => {
    if (timer) return;
    main.label(words.pause);
    timer = setTimeout(tick, 0);
  };
  const pause = () => {
    clearTimeout(timer);
    timer = 0;
    main.label(label ?? words.play);
  };
  const main = button({ label: label ?? words.play, primary: true, onclick: () => (timer ? pause() : play()) });
  const once = button({ label: words.step, onclick: () => { pause(); act(); } });
  host.cleanup(pause);
  return { nodes: [main.node, once.node], play, pause, playing: () => timer !== 0 };
}

// ---------------------------------------------------------------------------------------------------------- plots

/**
 * A plot in an SVG of its own, with fixed axes. At most 360 units wide, so that its text can be read on a phone.
 *
 * @param {object} options width, height; x and y: [low, high]; xlabel, ylabel, title; label: what a screen reader
 *   says; log: true for a logarithmic y-axis; ticks: how many about.
 * @returns {object} node; back, middle and front (groups to draw in, in that order); X and Y (data to SVG units),
 *   toX and toY (SVG units to data), at(event) -> [x, y] in data; clip (a value for `clip-path`).
 */
export function plot({ width = 340, height = 280, x, y, xlabel, ylabel, title, label, log = false, ticks = 5 }) {
  const left = ylabel ? 50 : 34, right = width - 10, top = title ? 26 : 10, bottom = height - (xlabel ? 40 : 24);
  const scale = log ? Math.log10 : (v) => v;
  const X = (v) => left + ((v - x[0]) / (x[1] - x[0])) * (right - left);
  const Y = (v) => bottom - ((scale(v) - scale(y[0])) / (scale(y[1]) - scale(y[0]))) * (bottom - top);
  const toX = (u) => x[0] + ((u - left) / (right - left)) * (x[1] - x[0]);
  const toY = (u) => {
    const v = scale(y[0]) + ((bottom - u) / (bottom - top)) * (scale(y[1]) - scale(y[0]));
    return log ? 10 ** v : v;
  };
  const clip = newId("clip");
  const axes = svg("g", { class: "nn-axes" });
  for (const v of tickValues(x, ticks)) {
    axes.append(svg("line", { x1: X(v), x2: X(v), y1: top, y2: bottom }),
      svg("text", { x: X(v), y: bottom + 15, "text-anchor": "middle" }, format(v)));
  }
  for (const v of log ? decades(y) : tickValues(y, ticks)) {
    axes.append(svg("line", { x1: left, x2: right, y1: Y(v), y2: Y(v) }),
      svg("text", { x: left - 5, y: Y(v) + 4, "text-anchor": "end" }, log ? power(v) : format(v)));
  }
  const words = svg("g", { class: "nn-labels" });
  if (title) words.append(svg("text", { x: (left + right) / 2, y: 16, "text-anchor": "middle", class: "nn-title" }, title));
  if (xlabel) words.append(svg("text", { x: (left + right) / 2, y: height - 6, "text-anchor": "middle" }, xlabel));
  if (ylabel) {
    words.append(svg("text", { transform: `translate(13 ${(top + bottom) / 2}) rotate(-90)`, "text-anchor": "middle" }, ylabel));
  }
  const [back, middle, front] = [0, 1, 2].map(() => svg("g"));
  const node = svg("svg", { viewBox: `0 0 ${width} ${height}`, class: "nn-plot", role: "group", "aria-label": label },
    svg("defs", {}, svg("clipPath", { id: clip }, svg("rect", { x: left, y: top, width: right - left, height: bottom - top }))),
    back, axes, svg("rect", { x: left, y: top, width: right - left, height: bottom - top, class: "nn-frame" }), words, middle, front);
  const at = (event) => {
    const point = new DOMPoint(event.clientX, event.clientY).matrixTransform(node.getScreenCTM().inverse());
    return [toX(point.x), toY(point.y)];
  };
  return { node, back, middle, front, X, Y, toX, toY, at, x, y, clip: `url(#${clip})`, area: [left, top, right - left, bottom - top] };
}

function tickValues([low, high], count) {
  const rough = (high - low) / count, size = 10 ** Math.floor(Math.log10(rough));
  const step = size * [1, 2, 5, 10].find((m) => m * size >= rough * 0.999);
  const found = [];
  for (let k = Math.ceil(low / step - 1e-9); k * step <= high + step * 1e-9; k++) found.push(+(k * step).toPrecision(12));
  return found;
}

function decades([low, high]) {
  const found = [];
  const first = Math.ceil(Math.log10(low) - 1e-9), last = Math.floor(Math.log10(high) + 1e-9);
  const step = Math.max(1, Math.ceil((last - first) / 5));
  for (let k = first; k <= last; k += step) found.push(10 ** k);
  return found;
}

const power = (v) => (Math.abs(Math.log10(v)) < 1.5 ? format(v) : `10${superscript(String(Math.round(Math.log10(v))))}`);

/** The `d` of a path through points in data; a value that is not finite interrupts it. */
export function path(plotted, points) {
  let text = "", pen = "M";
  for (const [a, b] of points) {
    if (!Number.isFinite(a) || !Number.isFinite(b)) pen = "M";
    else {
      text += `${pen}${plotted.X(a).toFixed(2)} ${clamp(plotted.Y(b), -1e4, 1e4).toFixed(2)}`;
      pen = "L";
    }
  }
  return text;
}

/** An image behind a plot (or any SVG box): `draw(i, j)` gives the color [r, g, b] of row i (from above), column j. */
export function heat({ x, y, width, height, rows, columns, smooth = false }) {
  const canvas = html("canvas", { width: columns, height: rows });
  const context = canvas.getContext("2d");
  const node = svg("image", { x, y, width, height, preserveAspectRatio: "none", style: smooth ? "" : "image-rendering: pixelated" });
  const draw = (color) => {
    const pixels = context.createImageData(columns, rows);
    for (let i = 0, k = 0; i < rows; i++) {
      for (let j = 0; j < columns; j++, k += 4) {
        const [r, g, b] = color(i, j);
        pixels.data[k] = r;
        pixels.data[k + 1] = g;
        pixels.data[k + 2] = b;
        pixels.data[k + 3] = 255;
      }
    }
    context.putImageData(pixels, 0, 0);
    node.setAttribute("href", canvas.toDataURL());
  };
  return { node, draw };
}

/**
 * A point that can be dragged with mouse and finger and moved with the arrow keys (Shift: ten times as far).
 *
 * @param {object} plotted what `plot` gave.
 * @param {object} options x, y; label: its name; bounds: {x: [low, high], y: [low, high]} (default: the axes);
 *   step: [dx, dy] of one key press; lock: "x" or "y" for a point that moves along one axis only; content: the SVG
 *   drawn around (0, 0) (default: a disk); onmove(x, y): may return another [x, y] to put it there.
 * @returns {{node: Element, move: (x: number, y: number) => void, x: number, y: number}}
 */
export function handle(plotted, { x, y, label, bounds = {}, step, lock, content, onmove, onend }) {
  const within = { x: bounds.x ?? plotted.x, y: bounds.y ?? plotted.y };
  const size = step ?? [(plotted.x[1] - plotted.x[0]) / 50, (plotted.y[1] - plotted.y[0]) / 50];
  const node = svg("g", { class: "nn-handle", tabindex: 0, role: "slider", "aria-label": label, "aria-orientation": lock === "y" ? "vertical" : "horizontal" },
    svg("circle", { r: 16, class: "nn-grip" }), content ?? svg("circle", { r: 7, class: "nn-dot" }));
  const point = {
    node,
    x,
    y,
    move(a, b) {
      point.x = a;
      point.y = b;
      set(node, {
        transform: `translate(${plotted.X(a).toFixed(2)} ${plotted.Y(b).toFixed(2)})`,
        "aria-valuemin": within[lock === "y" ? "y" : "x"][0],
        "aria-valuemax": within[lock === "y" ? "y" : "x"][1],
        "aria-valuenow": lock === "y" ? b : a,
        "aria-valuetext": lock ? format(lock === "y" ? b : a) : `${format(a)}, ${format(b)}`,
      });
    },
  };
  const propose = (a, b) => {
    a = lock === "y" ? point.x : clamp(a, ...within.x);
    b = lock === "x" ? point.y : clamp(b, ...within.y);
    const moved = onmove(a, b) ?? [a, b];
    point.move(...moved);
  };
  // `touch-action` has no effect on a group inside an SVG: without this the page scrolls and the drag is cancelled
  node.addEventListener("touchstart", (event) => event.preventDefault(), { passive: false });
  node.addEventListener("pointerdown", (event) => {
    event.preventDefault();
    node.focus();
    node.setPointerCapture(event.pointerId);
    node.classList.add("nn-dragging");
  });
  node.addEventListener("pointermove", (event) => {
    if (node.hasPointerCapture(event.pointerId)) propose(...plotted.at(event));
  });
  for (const name of ["pointerup", "pointercancel"]) {
    node.addEventListener(name, () => {
      node.classList.remove("nn-dragging");
      onend?.();
    });
  }
  node.addEventListener("keydown", (event) => {
    const far = event.shiftKey ? 10 : 1;
    const [dx, dy] = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] }[event.key] ?? [0, 0];
    if (!dx && !dy) return;
    event.preventDefault();
    propose(point.x + dx * far * size[0], point.y + dy * far * size[1]);
    onend?.();
  });
  point.move(x, y);
  return point;
}

// ------------------------------------------------------------------------------------------------------- mounting

const WORDS = {
  en: { play: "Play", pause: "Pause", step: "Step", reset: "Reset" },
};

const spoken = (table) => table[(document.documentElement.lang || "en").slice(0, 2)] ?? table.en;

/**
 * Make `mount` and `render` from a figure.
 *
 * @param {object} options
 *   name: the module's name, also the CSS class `nn-fig-<name>`;
 *   defaults: every prop with its default value; a prop that is not among them is an error;
 *   strings: the figure's words by language, `{ en: {...} }`;
 *   create(root, host): builds the figure in `root` and returns `{ state(), set(state) }`, where the state is a small
 *     plain object that says everything the reader has changed. `host` has: props; text (the strings); words (the
 *     kit's own strings); changed() (call it after every change of the state); say(text) (read out by a screen
 *     reader); theme(redraw) (called when light and dark are switched; not called at the start); cleanup(function);
 *     visible() (on the screen or not); still (true while a still picture is taken).
 * @returns {{mount: Function, render: Function}}
 */
export function figure({ name, defaults, strings, create }) {
  function mount(element, props = {}, { onchange = () => {}, still = false } = {}) {
    const unknown = Object.keys(props).filter((key) => !(key in defaults));
    if (unknown.length) throw new Error(`${name} has no prop ${unknown.join(", ")}; it has ${Object.keys(defaults).join(", ")}`);
    const words = spoken(WORDS);
    const root = html("div", { class: `nn-fig nn-fig-${name}` });
    const live = html("div", { class: "nn-said", "aria-live": "polite" });
    let instance, body, undo, redraw, ready, seen = true, speaking = 0;
    const host = {
      props: structuredClone({ ...defaults, ...props }),
      text: spoken(strings),
      words,
      still,
      changed: () => ready && onchange(),
      say(text) {
        clearTimeout(speaking);
        speaking = setTimeout(() => (live.textContent = text), 250);
      },
      theme: (again) => redraw.push(again),
      cleanup: (again) => undo.push(again),
      visible: () => seen,
    };
    const build = () => {
      [undo, redraw, ready] = [[], [], false];
      body = html("div", { class: "nn-body" });
      root.replaceChildren(body, foot, live);
      host.props = structuredClone({ ...defaults, ...props });
      instance = create(body, host);
      ready = true;
    };
    const clear = () => undo.forEach((again) => again());
    const reset = button({ label: words.reset, onclick: () => handle.reset() });
    const foot = html("div", { class: "nn-foot" }, reset.node);
    const handle = {
      element: root,
      state: () => instance.state(),
      set(state) {
        if (state?.constructor !== Object) throw new Error(`this is no state of ${name}`);
        instance.set(structuredClone(state));
      },
      reset() {
        clear();
        build();
        onchange();
        reset.node.focus();
      },
      destroy() {
        clear();
        themes.disconnect();
        screen.disconnect();
        root.remove();
      },
    };
    const themes = new MutationObserver(() => redraw.forEach((again) => again()));
    themes.observe(document.documentElement, { attributeFilter: ["data-theme"] });
    themes.observe(document.body, { attributeFilter: ["data-jp-theme-light"] });
    const screen = new IntersectionObserver(([entry]) => (seen = entry.isIntersecting));
    screen.observe(root);
    element.append(root);
    root.figure = handle;
    build();
    return handle;
  }

  function render({ model, el }) {
    const shown = mount(el, model.get("props"), { onchange: write });
    function write() {
      model.set("state", shown.state());
      model.save_changes();
    }
    const read = () => {
      const state = model.get("state");
      if (Object.keys(state).length && JSON.stringify(state) !== JSON.stringify(shown.state())) shown.set(state);
    };
    read();
    write();
    model.on("change:state", read);
    return () => {
      model.off("change:state", read);
      shown.destroy();
    };
  }

  return { mount, render };
}
