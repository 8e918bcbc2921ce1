import { choice, figure, fixed, format, html, row, slider, svg, toggle } from "./kit.js";

export const defaults = {
  sentence: "the girl gave the boy a book because she liked him",
  head: "pronoun",
  row: null, // the token that asks, counted from 0 (START); null: one that the head is made for
  causal: false,
  temperature: 1,
};

const strings = {
  en: {
    sentence: "Sentence",
    examples: "Examples",
    own: "your own",
    causal: "Causal mask",
    temperature: "Temperature",
    heads: "Heads",
    names: {
      previous: "previous word",
      pronoun: "pronoun → noun",
      subject: "verb → subject",
      noun: "adjective → noun",
      average: "average",
    },
    does: {
      previous:
        "Each word looks for the word one place before it: the query is its own position, turned back by one place. START has none.",
      pronoun:
        "A pronoun looks for a noun that agrees in person, number and gender. Words that are no pronoun look at START.",
      subject:
        "A verb looks for a noun or pronoun that agrees in number, best of all the word just before it. Other words look at START.",
      noun: "An adjective looks for a noun, best of all the next word. Other words look at START.",
      average: "All queries are 0, so all scores are equal: the mean of what may be seen.",
    },
    byHand: "The weights are set by hand, not learned, so that each number has a reason.",
    lines: "Tokens that ask, left; tokens that answer, right. A line is as thick as its weight.",
    asks: "token n asks",
    answers: "token m answers",
    matrix: "Weights: one row for each token that asks. Each row adds up to 1.",
    weights: "weights a",
    pick: (word) => `${word} asks`,
    answer: (word, weight) => `${word}, weight ${weight}`,
    summary: (word, list, sum) => `${word} gives ${list}. The row adds up to ${sum}.`,
    most: (word, weight) => `${weight} to ${word}`,
    hidden: (count) => ` The mask hides ${count} of the tokens from it.`,
    unfold: (word) => `The row of “${word}”, number by number`,
    query: "query",
    columns: {
      token: "m",
      key: "key k",
      dot: "q · k",
      scaled: "/ √4",
      warm: (t) => `/ T = ${t}`,
      mask: "mask",
      weight: "weight a",
      value: "value v",
    },
    may: "may",
    mayNot: "−∞",
    output: "Σ a v",
    projections: "Where q, k and v come from",
    from: (name, word) => `${name} of “${word}”:`,
    receives: (word, list) => `So “${word}” receives ${list}.`,
    dot: (word, terms, dot) => `q · k(${word}) = ${terms} = ${dot}`,
    softmax: (score, power, sum, weight) => `e^${score} / Σ = ${power} / ${sum} = ${weight}`,
    blocked: "hidden by the mask: score −∞, weight e^−∞ / Σ = 0",
    words: "The tokens as vectors x",
    rule: "A word that is not in the vocabulary counts as a thing: a noun, no person, plural if it ends in s.",
    unknown: (list) => `Not in the vocabulary, so a thing: ${list}.`,
    position: "position",
    few: "Type at least two words.",
    many: (most) => `At most ${most} words fit.`,
    features: [
      "noun",
      "verb",
      "adjective",
      "pronoun",
      "determiner",
      "preposition",
      "other",
      "person",
      "plural",
      "female",
      "place",
      "food",
      "size",
      "feeling",
      "START",
      "one",
      "cos 0.4n",
      "sin 0.4n",
      "cos 1.6n",
      "sin 1.6n",
    ],
  },
};

// ----------------------------------------------------------------------------------------------------- vocabulary

// Features of a word, by column of x. The last four hold the position n of the token: cosine and sine of 0.4 n and 1.6 n.
const [NOUN, VERB, ADJECTIVE, PRONOUN, DETERMINER, PREPOSITION, OTHER, PERSON] = [0, 1, 2, 3, 4, 5, 6, 7];
const [PLURAL, FEMALE, PLACE, FOOD, SIZE, FEELING, START, ONE] = [8, 9, 10, 11, 12, 13, 14, 15];
const SLOW = 16,
  FAST = 18,
  FREQUENCIES = [0.4, 1.6];
export const D = 20,
  D_K = 4;

// Kind, features, words. A noun is singular and no person unless it is said; + s makes it plural.
const LEXICON = [
  [{ [NOUN]: 1, [PERSON]: 1, [PLURAL]: -1, [FEMALE]: 1 }, "girl woman queen mother sister"],
  [{ [NOUN]: 1, [PERSON]: 1, [PLURAL]: -1, [FEMALE]: -1 }, "boy man king father brother"],
  [{ [NOUN]: 1, [PERSON]: 1, [PLURAL]: -1 }, "child teacher student doctor friend"],
  [{ [NOUN]: 1, [PERSON]: 1, [PLURAL]: 1 }, "children people"],
  [{ [NOUN]: 1, [PERSON]: 1, [PLURAL]: 1, [FEMALE]: 1 }, "women"],
  [{ [NOUN]: 1, [PERSON]: 1, [PLURAL]: 1, [FEMALE]: -1 }, "men"],
  [
    { [NOUN]: 1, [PERSON]: -1, [PLURAL]: -1 },
    "cat dog bird horse mouse animal ball book key box cabinet letter song tree model network word",
  ],
  [{ [NOUN]: 1, [PERSON]: -1, [PLURAL]: -1, [FOOD]: 1 }, "apple cake soup"],
  [{ [NOUN]: 1, [PERSON]: -1, [PLURAL]: -1, [PLACE]: 1 }, "park house street river garden school kitchen"],
  [
    { [VERB]: 1, [PLURAL]: 1 },
    "are were have see like love eat read write run sleep chase sing find give cross sit walk",
  ],
  [
    { [VERB]: 1, [PLURAL]: -1 },
    "is was has sees likes loves eats reads writes runs sleeps chases sings finds gives crosses sits walks",
  ],
  [{ [VERB]: 1 }, "saw liked loved ate wrote ran slept chased sang found gave crossed sat walked did can had"],
  [{ [ADJECTIVE]: 1 }, "red old new"],
  [{ [ADJECTIVE]: 1, [SIZE]: 1 }, "big tall"],
  [{ [ADJECTIVE]: 1, [SIZE]: -1 }, "small tiny"],
  [{ [ADJECTIVE]: 1, [FEELING]: 1 }, "happy good kind sweet"],
  [{ [ADJECTIVE]: 1, [FEELING]: -1 }, "sad bad tired hungry angry"],
  [{ [PRONOUN]: 1, [PERSON]: 1, [PLURAL]: -1, [FEMALE]: 1 }, "she"],
  [{ [PRONOUN]: 1, [PERSON]: 1, [PLURAL]: -1, [FEMALE]: -1 }, "he him"],
  [{ [PRONOUN]: 1, [PERSON]: -1, [PLURAL]: -1 }, "it"],
  [{ [PRONOUN]: 1, [PLURAL]: 1 }, "they them"],
  [{ [PRONOUN]: 1, [PERSON]: 1, [PLURAL]: 1 }, "we us"],
  [{ [DETERMINER]: 1 }, "the a an this that these my his her their every"],
  [{ [PREPOSITION]: 1 }, "in on to of with at near from across by"],
  [{ [OTHER]: 1 }, "and but because not when very so who then"],
];
const VOCABULARY = new Map(LEXICON.flatMap(([features, words]) => words.split(" ").map((word) => [word, features])));
const THING = { [NOUN]: 1, [PERSON]: -1 };

const MOST = 11;

const EXAMPLES = [
  defaults.sentence,
  "the keys to the cabinet are old",
  "the small dog chased a big red ball",
  "the cat saw the mouse because it was hungry",
  "the tired student reads a sad letter in the garden",
];

/** The words of a sentence: letters only, in lower case. */
export const words = (sentence) => sentence.toLowerCase().match(/[a-zà-ÿ]+/g) ?? [];

/** The features of a word by column, and whether it is in the vocabulary. */
export function lookUp(word) {
  const base = word.endsWith("s") ? VOCABULARY.get(word.slice(0, -1)) : undefined;
  if (VOCABULARY.has(word)) return { features: VOCABULARY.get(word), known: true };
  if (base?.[NOUN]) return { features: { ...base, [PLURAL]: 1 }, known: true };
  return { features: { ...THING, [PLURAL]: word.endsWith("s") ? 1 : -1 }, known: false };
}

/** START and the words as rows X of shape (N, 20): features of the word, and of its position. */
export function embed(list) {
  return [null, ...list].map((word, n) => {
    const x = Array(D).fill(0);
    for (const [column, value] of Object.entries(word === null ? { [START]: 1 } : lookUp(word).features))
      x[column] = value;
    x[ONE] = 1;
    FREQUENCIES.forEach((frequency, i) => {
      x[SLOW + 2 * i] = Math.cos(frequency * n);
      x[SLOW + 2 * i + 1] = Math.sin(frequency * n);
    });
    return x;
  });
}

// ---------------------------------------------------------------------------------------------------------- heads

/** Two columns of W that turn a pair (cosine, sine) at `pair` by the angle of `places` positions, times `scale`. */
function turn(pair, places, scale) {
  const angle = FREQUENCIES[(pair - SLOW) / 2] * places,
    c = scale * Math.cos(angle),
    s = scale * Math.sin(angle);
  return [
    [
      [pair, c],
      [pair + 1, -s],
    ],
    [
      [pair, s],
      [pair + 1, c],
    ],
  ].map((column) => column.filter(([, weight]) => weight !== 0));
}
const copy = (...columns) => columns.map((column) => [[column, 1]]);

// Each head as the columns of its three matrices: [feature, weight] pairs, all other entries 0. Three of them have a
// first component that is positive for the words that shall look, and negative for all others: these find START.
const HEADS = {
  previous: {
    q: [...turn(SLOW, -1, 3), ...turn(FAST, -1, 3)],
    k: [...turn(SLOW, 0, 3), ...turn(FAST, 0, 3)],
    v: copy(NOUN, VERB, ADJECTIVE, DETERMINER),
  },
  pronoun: {
    q: [
      [
        [PRONOUN, 18],
        [ONE, -10],
      ],
      [[PERSON, 3]],
      [[PLURAL, 3]],
      [[FEMALE, 4]],
    ],
    k: [
      [
        [NOUN, 1],
        [START, -2],
      ],
      [[PERSON, 1]],
      [[PLURAL, 1]],
      [[FEMALE, 1]],
    ],
    v: copy(NOUN, PERSON, PLURAL, FEMALE),
  },
  subject: {
    q: [
      [
        [VERB, 60],
        [ONE, -30],
      ],
      [[PLURAL, 8]],
      ...turn(SLOW, -1, 20),
    ],
    k: [
      [
        [NOUN, 1],
        [PRONOUN, 1],
        [START, -2],
      ],
      [[PLURAL, 1]],
      ...turn(SLOW, 0, 1),
    ],
    v: copy(NOUN, PRONOUN, PERSON, PLURAL),
  },
  noun: {
    q: [
      [
        [ADJECTIVE, 24],
        [ONE, -12],
      ],
      [],
      ...turn(SLOW, 1, 8),
    ],
    k: [
      [
        [NOUN, 1],
        [START, -2],
      ],
      [],
      ...turn(SLOW, 0, 1),
    ],
    v: copy(NOUN, PERSON, PLACE, FOOD),
  },
  average: { q: [[], [], [], []], k: copy(NOUN, VERB, ADJECTIVE, PRONOUN), v: copy(VERB, PLACE, SIZE, FEELING) },
};
export const heads = Object.keys(HEADS);
const MADE_FOR = { previous: ONE, pronoun: PRONOUN, subject: VERB, noun: ADJECTIVE, average: ONE };

/** The matrices of a head as rows, { W_q, W_k, W_v }, each (20, 4). */
export function matrices(head) {
  const dense = (columns) =>
    Array.from({ length: D }, (_, i) => columns.map((column) => column.find(([feature]) => feature === i)?.[1] ?? 0));
  const { q, k, v } = HEADS[head];
  return { W_q: dense(q), W_k: dense(k), W_v: dense(v) };
}

const dot = (a, b) => a.reduce((sum, x, i) => sum + x * b[i], 0);
const product = (X, W) => X.map((x) => W[0].map((_, j) => x.reduce((sum, value, i) => sum + value * W[i][j], 0)));

/**
 * One head of self-attention: Softmax[Q Kᵀ / (√D_k T)] V, with scores −∞ where the causal mask forbids.
 *
 * @param {number[][]} X tokens, (N, 20).
 * @returns {object} Q, K, V, dots, scores, weights and Y, each with one row per token.
 */
export function attend(X, head, { causal = false, temperature = 1 } = {}) {
  const { W_q, W_k, W_v } = matrices(head),
    [Q, K, V] = [W_q, W_k, W_v].map((W) => product(X, W));
  const dots = Q.map((q) => K.map((k) => dot(q, k)));
  const scores = dots.map((line, n) =>
    line.map((s, m) => (causal && m > n ? -Infinity : s / Math.sqrt(D_K) / temperature)),
  );
  const weights = scores.map((line) => {
    const top = Math.max(...line),
      powers = line.map((s) => Math.exp(s - top)),
      total = powers.reduce((a, b) => a + b);
    return powers.map((power) => power / total);
  });
  return { Q, K, V, dots, scores, weights, Y: product(weights, V) };
}

// --------------------------------------------------------------------------------------------------------- figure

const short = (x, digits = 3) => format(Math.abs(x) < 5e-4 ? 0 : x, digits);
const vector = (list, digits = 3) => `[${list.map((x) => short(x, digits)).join(", ")}]`;
const factor = (x) => (x < 0 ? `(${short(x)})` : short(x));
const TEMPERATURES = [0.1, 0.2, 0.3, 0.5, 0.7, 1, 1.5, 2, 3, 5, 10, 20, 50];
const STEP = 26; // height of a row of tokens

function create(root, host) {
  const { text } = host;
  let state, tokens, result, all;

  const field = html("input", {
    type: "text",
    value: host.props.sentence,
    "aria-label": text.sentence,
    class: "nn-sentence",
    autocomplete: "off",
    spellcheck: "false",
    oninput: () => edit(field.value),
  });
  const problem = html("p", { class: "nn-problem", role: "status" });
  const examples = choice({
    label: text.examples,
    value: EXAMPLES[0],
    options: [...EXAMPLES.map((s) => [s, s]), ["", text.own]],
    onchange: (sentence) => {
      if (!sentence) return;
      field.value = sentence;
      edit(sentence);
    },
  });
  const causal = toggle({ label: text.causal, value: false, onchange: (yes) => change({ causal: yes }) });
  const temperature = slider({
    label: text.temperature,
    value: 1,
    oninput: (t) => change({ temperature: t }),
    values: TEMPERATURES,
  });
  const overview = html("div", { class: "nn-heads", role: "group", "aria-label": text.heads });
  const does = html("p");
  const panels = html("div", { class: "nn-panels" });
  const line = html("p", { class: "nn-happened" });
  const steps = html("details", {}, html("summary"), html("div"));
  const origin = html("details", {}, html("summary", {}, text.projections), html("div"));
  const vectors = html("details", {}, html("summary", {}, text.words), html("div"));
  root.append(
    html("div", { class: "nn-row" }, field, examples.node),
    problem,
    overview,
    does,
    row(causal, temperature),
    panels,
    line,
    steps,
    origin,
    vectors,
  );

  const buttons = Object.fromEntries(
    heads.map((head) => {
      const picture = svg("svg", { "aria-hidden": "true" }),
        node = html(
          "button",
          { type: "button", class: "nn-head", onclick: () => change({ head, row: suited(head) }) },
          picture,
          html("span", {}, text.names[head]),
        );
      overview.append(node);
      return [head, { node, picture }];
    }),
  );

  /** The token to begin with: the last one of the kind that the head is made for. */
  function suited(head) {
    const X = embed(words(state.sentence)),
      kind = MADE_FOR[head];
    const found = X.findLastIndex((x, n) => n > 0 && x[kind] === 1 && (head !== "pronoun" || x[FEMALE] >= 0));
    return found > 0 ? found : X.length - 1;
  }

  function edit(sentence) {
    const list = words(sentence);
    problem.textContent = list.length < 2 ? text.few : list.length > MOST ? text.many(MOST) : "";
    field.setAttribute("aria-invalid", String(problem.textContent !== ""));
    if (problem.textContent) return;
    state.sentence = sentence;
    examples.value = EXAMPLES.includes(sentence) ? sentence : "";
    change({ row: suited(state.head) });
  }

  function change(some) {
    Object.assign(state, some);
    if ("row" in some && !("key" in some)) state.key = null;
    draw();
    host.say(line.textContent);
    host.changed();
  }

  function draw() {
    const list = words(state.sentence),
      X = embed(list);
    tokens = ["START", ...list];
    all = Object.fromEntries(heads.map((head) => [head, attend(X, head, state)]));
    result = { X, ...all[state.head] };
    const weights = result.weights[state.row];
    state.key ??= weights.indexOf(Math.max(...weights));
    for (const head of heads) {
      const { node, picture } = buttons[head],
        n = tokens.length;
      node.setAttribute("aria-pressed", head === state.head);
      picture.setAttribute("viewBox", `0 0 ${n} ${n}`);
      picture.replaceChildren(
        svg("rect", { width: n, height: n, class: "nn-paper" }),
        ...all[head].weights
          .flatMap((given, i) =>
            given.map((a, j) =>
              a > 0.01
                ? svg("rect", { x: j, y: i, width: 1, height: 1, class: "nn-cell", style: `--w: ${a.toFixed(3)}` })
                : null,
            ),
          )
          .filter(Boolean),
      );
    }
    does.replaceChildren(
      html("strong", {}, `${text.names[state.head]}. `),
      `${text.does[state.head]} `,
      html("em", {}, text.byHand),
    );
    const focused = panels.contains(document.activeElement) ? document.activeElement.dataset.row : null;
    panels.replaceChildren(drawLines(), drawMatrix());
    if (focused) panels.querySelector(`[data-row="${state.row}"]`)?.focus();
    const best = weights
      .map((a, m) => [a, m])
      .sort((a, b) => b[0] - a[0])
      .slice(0, 3)
      .filter(([a]) => a > 0.005);
    line.textContent =
      text.summary(
        `“${tokens[state.row]}” (n = ${state.row})`,
        best.map(([a, m]) => text.most(tokens[m], fixed(a))).join(", "),
        fixed(weights.reduce((a, b) => a + b)),
      ) + (state.causal && state.row < tokens.length - 1 ? text.hidden(tokens.length - 1 - state.row) : "");
    unfold();
  }

  /** Both lists of tokens, and a line for each weight. */
  function drawLines() {
    const height = STEP * tokens.length + 28,
      Y = (i) => 28 + STEP * (i + 0.5),
      left = 112,
      right = 210;
    const node = svg(
      "svg",
      { viewBox: `0 0 340 ${height}`, role: "group", "aria-label": text.lines },
      svg("text", { x: left, y: 14, "text-anchor": "end", class: "nn-title" }, text.asks),
      svg("text", { x: right, y: 14, class: "nn-title" }, text.answers),
    );
    result.weights.forEach((given, n) =>
      given.forEach((a, m) => {
        if (a < 0.02 || n === state.row) return;
        node.append(
          svg("path", { d: curve(left + 8, Y(n), right - 8, Y(m)), class: "nn-link", "stroke-width": 0.5 + 6 * a }),
        );
      }),
    );
    result.weights[state.row].forEach((a, m) => {
      if (a >= 0.005)
        node.append(
          svg("path", {
            d: curve(left + 8, Y(state.row), right - 8, Y(m)),
            class: "nn-link nn-picked",
            "stroke-width": 0.5 + 10 * a,
          }),
        );
    });
    tokens.forEach((word, i) => {
      const asks = i === state.row,
        allowed = !state.causal || i <= state.row,
        a = result.weights[state.row][i];
      const button = svg(
        "g",
        {
          class: asks ? "nn-token nn-asking" : "nn-token",
          tabindex: asks ? 0 : -1,
          role: "radio",
          "aria-checked": String(asks),
          "aria-label": text.pick(word),
          "data-row": i,
          onclick: () => change({ row: i }),
          onkeydown: (event) => {
            const way = { ArrowUp: -1, ArrowLeft: -1, ArrowDown: 1, ArrowRight: 1 }[event.key];
            if (!way) return;
            event.preventDefault();
            change({ row: (state.row + way + tokens.length) % tokens.length });
          },
        },
        svg("rect", { x: 2, y: Y(i) - STEP / 2, width: left + 4, height: STEP, rx: 4 }),
        svg("text", { x: left, y: Y(i) + 4, "text-anchor": "end" }, word),
      );
      node.append(
        button,
        svg(
          "g",
          { class: `nn-answer${i === state.key ? " nn-chosen" : ""}`, onclick: () => change({ key: i }) },
          svg("rect", { x: right - 6, y: Y(i) - STEP / 2, width: 134, height: STEP, rx: 4 }),
          svg("text", { x: right, y: Y(i) + 4, class: allowed ? "" : "nn-masked" }, word),
          svg(
            "text",
            { x: 334, y: Y(i) + 4, "text-anchor": "end", class: !allowed ? "nn-masked" : a < 0.005 ? "nn-faint" : "" },
            allowed ? fixed(a) : text.mayNot,
          ),
        ),
      );
    });
    const group = svg("g", { role: "radiogroup", "aria-label": text.asks });
    group.append(...node.querySelectorAll(".nn-token"));
    node.append(group);
    return node;
  }

  const curve = (x1, y1, x2, y2) => `M${x1} ${y1}C${(x1 + x2) / 2} ${y1} ${(x1 + x2) / 2} ${y2} ${x2} ${y2}`;

  /** The matrix of weights with its numbers. */
  function drawMatrix() {
    const n = tokens.length,
      side = Math.min(34, 268 / n),
      left = 66,
      top = 62;
    const node = svg("svg", { viewBox: `0 0 340 ${top + side * n + 6}`, role: "img", "aria-label": text.matrix });
    tokens.forEach((word, i) => {
      const at = left + side * (i + 0.5);
      node.append(
        svg(
          "text",
          { transform: `translate(${at + 4} ${top - 6}) rotate(-55)`, class: i === state.key ? "nn-title" : "" },
          word.slice(0, 9),
        ),
        svg(
          "text",
          {
            x: left - 6,
            y: top + side * (i + 0.5) + 4,
            "text-anchor": "end",
            class: i === state.row ? "nn-title" : "",
          },
          word.slice(0, 9),
        ),
      );
    });
    result.weights.forEach((given, i) =>
      given.forEach((a, j) => {
        const hidden = state.causal && j > i,
          x = left + side * j,
          y = top + side * i;
        node.append(
          svg(
            "g",
            { class: "nn-entry", onclick: () => change({ row: i, key: j }) },
            svg("rect", {
              x,
              y,
              width: side,
              height: side,
              class: hidden ? "nn-hidden" : "nn-cell",
              style: `--w: ${a.toFixed(3)}`,
            }),
            hidden || a < 0.005
              ? null
              : svg(
                  "text",
                  { x: x + side / 2, y: y + side / 2 + 4, "text-anchor": "middle" },
                  a > 0.995 ? "1" : a.toFixed(2).slice(1),
                ),
          ),
        );
      }),
    );
    node.append(
      svg("rect", { x: left, y: top + side * state.row, width: side * n, height: side, class: "nn-row-frame" }),
    );
    return node;
  }

  // ------------------------------------------------------------------------------ everything about the picked row

  function unfold() {
    const { X, Q, K, V, dots, scores, weights, Y } = result,
      { row: n, key } = state,
      t = state.temperature,
      { columns } = text;
    steps.firstChild.textContent = text.unfold(tokens[n]);
    const titles = [
      columns.token,
      columns.key,
      columns.dot,
      columns.scaled,
      ...(t === 1 ? [] : [columns.warm(format(t))]),
      ...(state.causal ? [columns.mask] : []),
      columns.weight,
      columns.value,
    ];
    const lines = tokens.map((word, m) => {
      const pick = html(
        "button",
        {
          type: "button",
          class: "nn-word",
          "aria-pressed": String(m === key),
          onclick: () => {
            change({ key: m });
            steps.querySelectorAll(".nn-word")[m].focus();
          },
        },
        word,
      );
      const may = !state.causal || m <= n,
        scaled = dots[n][m] / Math.sqrt(D_K);
      const cells = [
        vector(K[m]),
        short(dots[n][m]),
        short(scaled),
        ...(t === 1 ? [] : [short(scaled / t)]),
        ...(state.causal ? [may ? text.may : text.mayNot] : []),
        fixed(weights[n][m], 3),
        vector(V[m]),
      ];
      return html(
        "tr",
        { class: m === key ? "nn-chosen" : "" },
        html("th", { scope: "row" }, pick),
        ...cells.map((cell) => html("td", {}, cell)),
      );
    });
    const sum = weights[n].reduce((a, b) => a + b);
    const total = html(
      "tr",
      { class: "nn-total" },
      html("th", { scope: "row" }, text.output),
      ...Array(titles.length - 3)
        .fill("")
        .map(() => html("td")),
      html("td", {}, fixed(sum, 3)),
      html("td", {}, vector(Y[n], 2)),
    );
    const table = html(
      "table",
      {},
      html("thead", {}, html("tr", {}, ...titles.map((head) => html("th", { scope: "col" }, head)))),
      html("tbody", {}, ...lines, total),
    );
    const wide = html(
      "div",
      { class: "nn-wide", tabindex: 0, role: "region", "aria-label": text.unfold(tokens[n]) },
      table,
    );
    const powers = scores[n].map((s) => Math.exp(s)),
      terms = Q[n].map((q, i) => `${factor(q)}·${factor(K[key][i])}`).join(" + ");
    const worked = html(
      "p",
      { class: "nn-worked" },
      text.dot(tokens[key], terms, short(dots[n][key])),
      html("br"),
      Number.isFinite(scores[n][key])
        ? text.softmax(
            short(scores[n][key], 4),
            format(powers[key], 3),
            format(
              powers.reduce((a, b) => a + b),
              3,
            ),
            fixed(weights[n][key], 3),
          )
        : text.blocked,
    );
    const received = HEADS[state.head].v.map((column, i) => `${text.features[column[0][0]]} ${short(Y[n][i])}`);
    const scroll = steps.querySelector(".nn-wide")?.scrollLeft ?? 0;
    steps.lastChild.replaceChildren(
      html("p", {}, html("strong", {}, `${text.query} q = ${vector(Q[n])}`)),
      wide,
      worked,
      html("p", {}, text.receives(tokens[n], received.join(", "))),
    );
    wide.scrollLeft = scroll;

    const explain = (name, columnsOf, x, out, word) =>
      html(
        "div",
        {},
        html("p", {}, html("strong", {}, text.from(name, word))),
        html(
          "ul",
          {},
          ...columnsOf.map((column, i) => {
            const sum = (factors) =>
              factors
                .map(([w, by], j) => `${w < 0 ? (j ? "− " : "−") : j ? "+ " : ""}${short(Math.abs(w))}·${by}`)
                .join(" ");
            const rule = sum(column.map(([feature, w]) => [w, text.features[feature]])),
              numbers = sum(column.map(([feature, w]) => [w, factor(x[feature])]));
            return html(
              "li",
              {},
              `${name}${"₁₂₃₄"[i]} = ${column.length ? `${rule} = ${numbers} = ${short(out[i])}` : "0"}`,
            );
          }),
        ),
      );
    const { q, k, v } = HEADS[state.head];
    origin.lastChild.replaceChildren(
      explain("q", q, X[n], Q[n], tokens[n]),
      explain("k", k, X[key], K[key], tokens[key]),
      explain("v", v, X[key], V[key], tokens[key]),
    );

    const strange = tokens.slice(1).filter((word) => !lookUp(word).known);
    vectors.lastChild.replaceChildren(
      html(
        "ul",
        {},
        ...tokens.map((word, m) =>
          html(
            "li",
            {},
            html("strong", {}, `${word}: `),
            X[m]
              .slice(0, 16)
              .map((value, i) => (value ? `${text.features[i]} ${short(value)}` : ""))
              .filter(Boolean)
              .join(", "),
            `; ${text.position} ${vector(X[m].slice(16))}`,
          ),
        ),
      ),
      html("p", { class: "nn-note" }, text.rule),
    );
    problem.textContent = strange.length ? text.unknown([...new Set(strange)].join(", ")) : "";
  }

  state = {
    sentence: host.props.sentence,
    head: host.props.head,
    row: 0,
    key: null,
    causal: host.props.causal,
    temperature: host.props.temperature,
  };
  state.row = host.props.row ?? suited(state.head);
  const show = () => {
    field.value = state.sentence;
    examples.value = EXAMPLES.includes(state.sentence) ? state.sentence : "";
    causal.value = state.causal;
    temperature.value = state.temperature;
    draw();
  };
  const check = (given) => {
    const list = words(given.sentence),
      n = list.length + 1;
    const place = (i) => Number.isInteger(i) && i >= 0 && i < n;
    if (
      n < 3 ||
      n > MOST + 1 ||
      !heads.includes(given.head) ||
      !place(given.row) ||
      !(given.temperature > 0) ||
      !(given.key === null || place(given.key))
    ) {
      throw new Error(
        "attention: it takes a sentence of 2 to 11 words, one of its five heads, a row among the tokens, a positive temperature",
      );
    }
  };
  check(state);
  show();

  return {
    state: () => ({ ...state }),
    set(given) {
      check(given);
      for (const key of Object.keys(state)) state[key] = given[key];
      show();
    },
  };
}

export const { mount, render } = figure({ name: "attention", defaults, strings, create });
export default { render };
