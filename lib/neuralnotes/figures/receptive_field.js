import { button, choice, clamp, figure, format, handle, html, row, set, svg } from "./kit.js";

/** Which pixels a cell of a stack of layers sees, and by how many paths: one axis of the image, seen from the side. */

export const defaults = { preset: "five-3x3", layers: null };

const strings = {
  en: {
    preset: "Stack",
    own: "your own",
    presets: {
      "two-3x3": "two 3 × 3",
      "one-5x5": "one 5 × 5",
      "five-3x3": "five 3 × 3",
      "one-11x11": "one 11 × 11",
      pooling: "3 × 3 with pooling",
      strides: "3 × 3 with stride 2",
      "lenet-5": "LeNet-5",
    },
    add: "Add a layer",
    remove: (l) => `Remove layer ${l}`,
    head: ["layer", "kind", "F", "S", "field r", "jump j"],
    image: "image",
    kinds: { conv: "conv", pool: "pool" },
    kindOf: (l) => `Kind of layer ${l}`,
    kernelOf: (l) => `Kernel of layer ${l}`,
    strideOf: (l) => `Stride of layer ${l}`,
    rowImage: (n) => `image: ${n} pixels`,
    rowLayer: (l, kind, kernel, stride) => `layer ${l}: ${kind} ${kernel}${stride > 1 ? `, stride ${stride}` : ""}`,
    drawing: "The layers from the side, the image at the bottom; below it how many paths reach each pixel",
    cell: "Cell",
    place: (l, k) => (l ? `layer ${l}, cell ${k}` : `pixel ${k}`),
    sees: (l, k, first, last, count) => [
      `Cell ${k} of layer ${l}`,
      " sees ",
      `${count} ${count === 1 ? "pixel" : "pixels"}`,
      count > 1 ? `, number ${first} to ${last}.` : `, number ${first}.`,
    ],
    pixel: (k) => [`Pixel ${k}`, " of the image sees ", "itself", "."],
    paths: (total, middle, count, share) =>
      `${total} paths lead to it; the middle ${middle} of the ${count} pixels carry ${share} % of them.`,
    onePath: (middle, count, share) =>
      `One path leads to each, so the middle ${middle} of the ${count} pixels carry ${share} % of them.`,
    bars: "paths from each pixel to the chosen cell, along one axis",
    weights: (kernels, biases, total) =>
      `Weights of this stack, one channel: ${kernels}${biases ? ` + ${biases} ${biases === 1 ? "bias" : "biases"} = ${total}` : ""}.`,
    single: (side, total) => ` One ${side} × ${side} layer sees the same: ${side * side} + 1 bias = ${total}.`,
    many: (field) => `The field has ${field} pixels. That is too many to draw; the table is right all the same.`,
  },
};

export const PRESETS = {
  "two-3x3": [
    ["conv", 3, 1],
    ["conv", 3, 1],
  ],
  "one-5x5": [["conv", 5, 1]],
  "five-3x3": Array(5).fill(["conv", 3, 1]),
  "one-11x11": [["conv", 11, 1]],
  pooling: [
    ["conv", 3, 1],
    ["pool", 2, 2],
    ["conv", 3, 1],
    ["pool", 2, 2],
    ["conv", 3, 1],
  ],
  strides: [
    ["conv", 3, 2],
    ["conv", 3, 2],
    ["conv", 3, 2],
  ],
  "lenet-5": [
    ["conv", 5, 1],
    ["pool", 2, 2],
    ["conv", 5, 1],
    ["pool", 2, 2],
    ["conv", 5, 1],
  ],
};

const MOST = { layers: 6, kernel: 11, stride: 3, drawn: 200 };

// ---------------------------------------------------------------------------------------------------- mathematics

/**
 * Field and jump after each layer: `r = r + (F - 1) j`, then `j = j S`; and the center of a layer's first cell.
 * @param {Array<[string, number, number]>} layers kind, kernel and stride of each, the first layer first.
 * @returns {Array<{field: number, jump: number, start: number}>} one more than there are layers: the image first.
 */
export function fields(layers) {
  const found = [{ field: 1, jump: 1, start: 0 }];
  for (const [, kernel, stride] of layers) {
    const { field, jump, start } = found.at(-1);
    found.push({ field: field + (kernel - 1) * jump, jump: jump * stride, start: start + ((kernel - 1) / 2) * jump });
  }
  return found;
}

/** First and last cell that cell k of layer l depends on, in the layers 0 (the image) to l. */
export function cone(layers, l, k) {
  const ranges = [[k, k]];
  for (let i = l - 1; i >= 0; i--) {
    const [first, last] = ranges[0],
      [, kernel, stride] = layers[i];
    ranges.unshift([first * stride, last * stride + kernel - 1]);
  }
  return ranges;
}

/** How many paths lead from each cell of the cone to its tip; in layers 0 to l. */
export function pathCounts(layers, l = layers.length) {
  const counts = [[1]];
  for (let i = l - 1; i >= 0; i--) {
    const [, kernel, stride] = layers[i],
      above = counts[0],
      here = Array((above.length - 1) * stride + kernel).fill(0);
    above.forEach((count, k) => {
      for (let m = 0; m < kernel; m++) here[k * stride + m] += count;
    });
    counts.unshift(here);
  }
  return counts;
}

/** The middle half of a list of counts: how many entries that is, and their share of the sum. */
export function middleShare(counts) {
  const n = counts.length,
    half = Math.floor((n + 1) / 2),
    middle = half - ((n - half) % 2) || n,
    first = (n - middle) / 2;
  const add = (list) => list.reduce((sum, count) => sum + count, 0);
  return { middle, share: add(counts.slice(first, first + middle)) / add(counts) };
}

/** Weights and biases of a stack with one channel; pooling has none. */
export function parameters(layers) {
  const kernels = layers.filter(([kind]) => kind === "conv").map(([, kernel]) => kernel * kernel);
  return { weights: kernels.reduce((sum, n) => sum + n, 0), biases: kernels.length };
}

/** Cells of each layer when the last one has `count`: no stride leaves a remainder. */
export function widths(layers, count) {
  const found = [count];
  for (let i = layers.length - 1; i >= 0; i--) found.unshift((found[0] - 1) * layers[i][2] + layers[i][1]);
  return found;
}

// -------------------------------------------------------------------------------------------------------- drawing

const WIDE = 350,
  EDGE = 5,
  HIGH = 14,
  UPPER = 34,
  FLOOR = 330,
  BASE = 440;

function create(root, host) {
  const words = host.text;
  let layers = structuredClone(host.props.layers ?? PRESETS[host.props.preset]);
  let at,
    peek = null,
    found,
    sizes,
    unit,
    gap,
    drawn,
    point;
  const step = [1, 1];

  const preset = choice({
    label: words.preset,
    value: null,
    options: [...Object.keys(PRESETS).map((name) => [name, words.presets[name]]), ["own", words.own]],
    onchange: (name) => {
      if (name in PRESETS) change(structuredClone(PRESETS[name]));
    },
  });
  const add = button({ label: words.add, onclick: () => change([...layers, ["conv", 3, 1]]) });
  const table = html("tbody"),
    formula = html("p"),
    sees = html("p"),
    cost = html("p", { class: "nn-note" });
  const picture = svg("svg", { viewBox: `0 0 ${WIDE} ${BASE + 22}`, role: "group", "aria-label": words.drawing });
  const still = svg("g"),
    moving = svg("g"),
    front = svg("g");
  picture.append(still, moving, front);

  const Y = (l) => FLOOR - l * gap; // the middle of a layer's row
  const X = (pixel) => EDGE + (pixel + 0.5) * unit;
  const center = (l, k) => found[l].start + k * found[l].jump;

  function change(next) {
    layers = next;
    layout();
    host.changed();
    host.say(describe());
  }

  function layout(place) {
    found = fields(layers);
    const { field, jump } = found.at(-1),
      top = layers.length;
    let count = clamp(Math.ceil((16 - field) / jump) + 1, 3, 16);
    if (field + (count - 1) * jump > MOST.drawn) count = 1;
    sizes = widths(layers, count);
    drawn = sizes[0] <= MOST.drawn;
    unit = (WIDE - 2 * EDGE) / sizes[0];
    gap = Math.min(200, (FLOOR - UPPER) / Math.max(1, top));
    at = place && drawn ? [clamp(Math.round(place[0]), 0, top), 0] : [top, (count - 1) >> 1];
    if (place && drawn) at[1] = clamp(Math.round(place[1]), 0, sizes[at[0]] - 1);
    peek = null;
    preset.value = Object.keys(PRESETS).find((name) => JSON.stringify(PRESETS[name]) === JSON.stringify(layers)) ?? "own";
    add.enable(layers.length < MOST.layers);
    fillTable();
    fillPicture();
    const { weights, biases } = parameters(layers),
      plain = layers.length > 1 && layers.every(([kind, , stride]) => kind === "conv" && stride === 1);
    cost.textContent = words.weights(weights, biases, weights + biases) + (plain ? words.single(field, field * field + 1) : "");
    update();
  }

  function fillTable() {
    const cells = (...items) => items.map((item) => html("td", {}, item));
    const select = (label, options, value, onchange) => {
      const node = html(
        "select",
        { "aria-label": label, onchange: () => onchange(options[node.selectedIndex]) },
        ...options.map((option) => html("option", {}, words.kinds[option] ?? String(option))),
      );
      node.selectedIndex = options.indexOf(value);
      return node;
    };
    const edit = (l, part) => (value) => {
      change(layers.map((layer, i) => layer.map((old, k) => (i === l - 1 && k === part ? value : old))));
      table.rows[l].querySelectorAll("select")[part].focus(); // the table has been made anew
    };
    const range = (most) => Array.from({ length: most }, (_, i) => i + 1);
    table.replaceChildren(
      html("tr", {}, html("th", { scope: "row" }, words.image), ...cells("", "", "", "1", "1", "")),
      ...layers.map(([kind, kernel, stride], i) => {
        const l = i + 1;
        const remove = html(
          "button",
          {
            type: "button",
            class: "nn-button nn-remove",
            "aria-label": words.remove(l),
            title: words.remove(l),
            onclick: () => {
              change(layers.filter((_, other) => other !== i));
              (table.querySelectorAll(".nn-remove")[Math.min(i, layers.length - 1)] ?? add.node).focus();
            },
          },
          "×",
        );
        remove.disabled = layers.length === 1;
        return html(
          "tr",
          {},
          html("th", { scope: "row" }, String(l)),
          ...cells(
            select(words.kindOf(l), ["conv", "pool"], kind, edit(l, 0)),
            select(words.kernelOf(l), range(MOST.kernel), kernel, edit(l, 1)),
            select(words.strideOf(l), range(MOST.stride), stride, edit(l, 2)),
            String(found[l].field),
            String(found[l].jump),
            remove,
          ),
        );
      }),
    );
  }

  function fillPicture() {
    still.replaceChildren();
    front.replaceChildren();
    if (!drawn) {
      still.append(svg("text", { x: WIDE / 2, y: BASE / 2, "text-anchor": "middle" }, "⋯"));
      return;
    }
    sizes.forEach((count, l) => {
      for (let k = 0; k < count; k++) {
        const wide = Math.min(unit * 0.92, unit - 0.4);
        still.append(
          svg("rect", {
            x: X(center(l, k)) - wide / 2,
            y: Y(l) - HIGH / 2,
            width: wide,
            height: HIGH,
            class: "nn-cell",
            "data-at": `${l} ${k}`,
          }),
        );
      }
      const [kind, kernel, stride] = l ? layers[l - 1] : [];
      still.append(
        svg(
          "text",
          { x: EDGE, y: Y(l) - HIGH / 2 - 5, class: "nn-name" },
          l ? words.rowLayer(l, words.kinds[kind], kernel, stride) : words.rowImage(count),
        ),
      );
    });
    const raw = (event) => {
      const spot = new DOMPoint(event.clientX, event.clientY).matrixTransform(picture.getScreenCTM().inverse());
      return [(spot.x - EDGE) / unit - 0.5, (FLOOR - spot.y) / gap];
    };
    point = handle(
      { X, Y, at: raw, x: [0, sizes[0] - 1], y: [0, layers.length] },
      {
        x: center(...at),
        y: at[0],
        label: words.cell,
        step,
        onmove: (pixel, height) => {
          const l = clamp(Math.round(height), 0, layers.length);
          const k = clamp(Math.round((pixel - found[l].start) / found[l].jump), 0, sizes[l] - 1);
          if (l !== at[0] || k !== at[1]) go(l, k);
          return [center(l, k), l];
        },
      },
    );
    const move = point.move;
    point.move = (a, b) => {
      move(a, b);
      set(point.node, { "aria-valuetext": words.place(...at) });
    };
    point.move(center(...at), at[0]);
    front.append(point.node);
  }

  function go(l, k) {
    at = [l, k];
    peek = null;
    update();
    host.changed();
    host.say(sees.textContent);
  }

  // A press takes a cell, a mouse that only passes over one shows its cone.
  const cellAt = (event) => event.target.dataset?.at?.split(" ").map(Number) ?? null;
  picture.addEventListener("click", (event) => {
    const cell = cellAt(event);
    if (!cell) return;
    go(...cell);
    point.move(center(...at), at[0]);
  });
  picture.addEventListener("pointermove", (event) => {
    if (event.pointerType !== "mouse" || event.buttons) return;
    const cell = cellAt(event);
    if (String(cell) === String(peek)) return;
    peek = cell;
    update();
  });
  picture.addEventListener("pointerleave", () => {
    if (!peek) return;
    peek = null;
    update();
  });

  function update() {
    const [l, k] = peek ?? at,
      ranges = cone(layers, l, k),
      counts = pathCounts(layers, l);
    const [first, last] = ranges[0],
      reached = counts[0],
      most = Math.max(...reached),
      half = unit / 2;
    step[0] = found[at[0]].jump;
    for (const [i, line] of [...table.rows].entries()) set(line, { class: i === l ? "nn-now" : "" });
    formula.replaceChildren(...recurrence(l));
    sees.replaceChildren();
    moving.replaceChildren();
    if (!drawn) return sees.append(words.many(found.at(-1).field));

    const cells = svg("g"),
      links = [],
      outline = [[], []];
    ranges.forEach(([from, to], i) => {
      const high = Math.max(...counts[i]);
      for (let c = from; c <= to; c++) {
        const x = X(center(i, c)),
          count = counts[i][c - from];
        cells.append(
          svg("rect", {
            x: x - half * 0.92,
            y: Y(i) - HIGH / 2,
            width: unit * 0.92,
            height: HIGH,
            class: "nn-lit",
            "fill-opacity": 0.2 + (0.8 * count) / high,
          }),
        );
        if (i) {
          const [, kernel, stride] = layers[i - 1];
          for (let m = 0; m < kernel; m++)
            links.push(
              `M${x.toFixed(1)} ${(Y(i) + HIGH / 2).toFixed(1)}L${X(center(i - 1, c * stride + m)).toFixed(1)} ${(Y(i - 1) - HIGH / 2).toFixed(1)}`,
            );
        }
      }
      outline[0].unshift(`${X(center(i, from)) - half} ${Y(i)}`);
      outline[1].push(`${X(center(i, to)) + half} ${Y(i)}`);
    });
    moving.append(
      svg("path", { d: `M${outline[0].concat(outline[1]).join("L")}Z`, class: "nn-cone nn-blue" }),
      svg("path", { d: links.join(""), class: "nn-links nn-blue" }),
      svg("g", { class: "nn-blue" }, cells),
    );

    // Bars under the image: the paths from each pixel.
    const room = BASE - FLOOR - HIGH / 2 - 26,
      bars = svg("g", { class: "nn-blue" }),
      numbered = String(most).length * 7 <= unit;
    const central = reached.length >> 1,
      named = reached[central] === most ? central : reached.indexOf(most);
    reached.forEach((count, i) => {
      const x = X(first + i),
        high = (room * count) / most;
      bars.append(svg("rect", { x: x - half * 0.92, y: BASE - high, width: unit * 0.92, height: high, class: "nn-fill" }));
      if (numbered || i === named)
        bars.append(svg("text", { x, y: BASE - high - 4, "text-anchor": "middle", class: "nn-count" }, String(count)));
    });
    moving.append(
      bars,
      svg("line", { x1: EDGE, x2: WIDE - EDGE, y1: BASE, y2: BASE, class: "nn-base" }),
      svg("text", { x: WIDE / 2, y: BASE + 16, "text-anchor": "middle", class: "nn-muted-text" }, words.bars),
    );

    const [name, middle, number, end] = l ? words.sees(l, k, first, last, reached.length) : words.pixel(k);
    const sum = reached.reduce((total, count) => total + count, 0),
      { middle: inner, share } = middleShare(reached);
    sees.append(html("strong", {}, name), middle, html("strong", {}, number), end);
    if (reached.length > 2)
      sees.append(
        " ",
        most === 1
          ? words.onePath(inner, reached.length, format(100 * share, 2))
          : words.paths(sum.toLocaleString("en"), inner, reached.length, format(100 * share, 2)),
      );
  }

  function recurrence(l) {
    const sub = (letter, index) => html("span", {}, html("i", {}, letter), html("sub", {}, String(index)));
    if (!l) return [sub("r", 0), " = 1, ", sub("j", 0), " = 1"];
    const [, kernel, stride] = layers[l - 1],
      { field, jump } = found[l - 1];
    return [
      sub("r", l),
      " = ",
      sub("r", l - 1),
      " + (F − 1) · ",
      sub("j", l - 1),
      ` = ${field} + (${kernel} − 1) · ${jump} = `,
      html("strong", {}, String(found[l].field)),
      html("br"),
      sub("j", l),
      " = ",
      sub("j", l - 1),
      ` · S = ${jump} · ${stride} = `,
      html("strong", {}, String(found[l].jump)),
    ];
  }

  const describe = () => `${formula.textContent}. ${sees.textContent} ${cost.textContent}`;

  const head = html("thead", {}, html("tr", {}, ...words.head.map((text) => html("th", { scope: "col" }, text)), html("td")));
  root.append(
    row(preset, add),
    html(
      "div",
      { class: "nn-panels" },
      html("div", {}, picture),
      html("div", { class: "nn-body" }, html("table", {}, head, table), formula, sees, cost),
    ),
  );
  layout();
  return {
    state: () => ({ layers, at }),
    set: (state) => {
      if (state.layers?.length) {
        layers = state.layers
          .slice(0, MOST.layers)
          .map(([kind, kernel, stride]) => [
            kind === "pool" ? "pool" : "conv",
            clamp(Math.round(kernel) || 1, 1, MOST.kernel),
            clamp(Math.round(stride) || 1, 1, MOST.stride),
          ]);
      }
      layout(state.at?.length === 2 && state.at.every(Number.isFinite) ? state.at : undefined);
    },
  };
}

export const { mount, render } = figure({ name: "receptive_field", defaults, strings, create });
export default { render };
