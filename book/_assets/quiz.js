/**
 * Self-check questions. The page arrives with every answer folded in a `<details>`; this script turns each question
 * into radio buttons, checkboxes or a field, moving (never copying) what is there, so that formulas are set once.
 *
 * A question keeps its state in one record: `answer` (what was last given), `tries`, and `first` (whether the first
 * try was right). The records stay in the reader's browser.
 */

const STRINGS = {
  en: {
    check: "Check",
    answer: "Your answer",
    choice: (number) => `Choice ${number}: `,
    keys: "Arrow keys move between the choices, Enter answers.",
    nothing: "Choose at least one.",
    complete: "Right: these are all.",
    more: "What you chose is right, and there is more to choose.",
    mixed: "Not every choice of yours is right.",
    unreadable: "This is not a number. Write it like 0.5, 1e-3 or 3/4.",
    score: (first, total) => `Right at the first try: ${first} of ${total}.`,
    restart: "Start over",
  },
};
const STORE = "neuralnotes-quiz";

/** The words of the page's language. */
function words() {
  return STRINGS[document.documentElement.lang.slice(0, 2)] ?? STRINGS.en;
}

/**
 * Read a number as people write it: `-1.5`, `1,5`, `1e-3`, `3/4`, with a hyphen or a true minus sign.
 * @param {string} text
 * @returns {number} NaN where the text is not one finite number
 */
export function parseNumber(text) {
  const plain = text.trim().replaceAll("\u2212", "-").replace(/\s*\/\s*/, "/").replace(/^([+-])\s+/, "$1");
  const pattern = /^[+-]?(\d+([.,]\d*)?|[.,]\d+)(e[+-]?\d+)?$/i;
  const parts = plain.split("/");
  if (parts.length > 2 || !parts.every((part) => pattern.test(part))) return NaN;
  const [above, below = 1] = parts.map((part) => Number(part.replace(",", ".")));
  return Number.isFinite(above / below) ? above / below : NaN;
}

/**
 * Whether a number lies within the tolerance, its ends included: 0.31 counts as 0.3 +- 0.01 although the difference
 * of the two doubles is a little more than 0.01.
 * @param {number} number
 * @param {number} value
 * @param {number} tolerance
 */
export function isWithin(number, value, tolerance) {
  return Math.abs(number - value) <= tolerance + 1e-12 * Math.max(Math.abs(value), tolerance);
}

/** All records of this browser by label; empty where storage is denied or holds something else. */
function readRecords() {
  try {
    const records = JSON.parse(localStorage.getItem(STORE));
    return records && typeof records === "object" && !Array.isArray(records) ? records : {};
  } catch {
    return {};
  }
}

function writeRecords(records) {
  try {
    localStorage.setItem(STORE, JSON.stringify(records));
  } catch {
    // Storage is denied or full: the questions work all the same, they are only not remembered.
  }
}

function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

/**
 * Turn a question into controls.
 * @param {HTMLElement} quiz the question as the page brings it
 * @param {(label: string, record: object) => void} changed called after every try
 * @returns {{label: string, restore: (record: object) => void, clear: () => void, first: () => boolean}}
 */
function upgrade(quiz, changed) {
  const label = quiz.id;
  const form = make("form", { class: "nn-quiz-form", novalidate: "", autocomplete: "off" });
  const group = make("fieldset", { "aria-labelledby": `${label}-title ${label}-prompt` });
  const answers = [...quiz.querySelectorAll(":scope > .nn-quiz-answer")].map((details) => ({
    right: details.dataset.verdict === "right",
    other: details.dataset.verdict === "other",
    value: Number(details.dataset.value),
    tolerance: Number(details.dataset.tolerance),
    text: details.querySelector(".nn-quiz-text"),
    feedback: details.querySelector(".nn-quiz-feedback"),
    details,
  }));
  form.append(group);
  answers[0].details.before(form);

  const build = { single: buildSingle, multiple: buildMultiple, numeric: buildNumeric }[quiz.dataset.kind];
  let record = { tries: 0, first: false, answer: null };
  const control = build(label, group, answers, () => form.requestSubmit());
  for (const answer of answers) answer.details.remove();
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const result = control.check();
    if (!result) return;
    record = {
      tries: record.tries + 1,
      first: record.tries ? record.first : result.right,
      answer: result.answer,
    };
    changed(label, record);
  });
  stepHints(quiz);
  return {
    label,
    restore(stored) {
      record = { tries: Number(stored.tries) || 0, first: stored.first === true, answer: stored.answer };
      control.restore(stored.answer);
    },
    clear() {
      record = { tries: 0, first: false, answer: null };
      form.reset();
      control.clear();
      for (const hint of quiz.querySelectorAll(".nn-quiz-hint")) hint.open = false;
      stepHints(quiz);
    },
    first: () => record.first,
  };
}

/** A row of a choice: the button, its text, and a live region with its feedback. */
function buildRow(label, group, answer, type, index) {
  const input = make("input", { type, name: label, value: index, "aria-describedby": `${label}-reply-${index}` });
  const reply = make("div", { class: "nn-quiz-reply", id: `${label}-reply-${index}`, role: "status" }, answer.feedback);
  answer.feedback.hidden = true;
  const isFormula = [...answer.text.childNodes].every(
    (part) => part.classList?.contains("math") || !part.textContent.trim(),
  );
  // A name that is a formula and nothing else is read out as a row of signs, or not at all: it gets a word in front.
  if (isFormula) answer.text.prepend(make("span", { class: "nn-quiz-unseen" }, words().choice(index + 1)));
  group.append(make("div", { class: "nn-quiz-row" }, make("label", {}, input, answer.text), reply));
  return input;
}

/** One right choice: choosing answers. Arrow keys pass through the choices without answering. */
function buildSingle(label, group, answers, submit) {
  const inputs = answers.map((answer, index) => buildRow(label, group, answer, "radio", index));
  group.append(make("p", { class: "nn-quiz-keys" }, words().keys));
  let byArrow = false;
  group.addEventListener("keydown", (event) => {
    byArrow = event.key.startsWith("Arrow");
    if (event.key === "Enter" || event.key === " ") {
      event.preventDefault();
      event.target.checked = true;
      submit();
    }
  });
  group.addEventListener("keyup", () => (byArrow = false));
  group.addEventListener("change", () => byArrow || submit());
  const show = () => answers.forEach((answer, index) => (answer.feedback.hidden = !inputs[index].checked));
  return {
    check() {
      const index = inputs.findIndex((input) => input.checked);
      if (index < 0) return null;
      show();
      return { right: answers[index].right, answer: index };
    },
    restore(index) {
      if (!inputs[index]) return;
      inputs[index].checked = true;
      show();
    },
    clear: show,
  };
}

/** Several right choices: any number of them is checked together. */
function buildMultiple(label, group, answers) {
  const inputs = answers.map((answer, index) => buildRow(label, group, answer, "checkbox", index));
  const summary = make("p", { class: "nn-quiz-summary", role: "status" });
  group.append(make("button", { type: "submit", class: "nn-quiz-button" }, words().check), summary);
  group.addEventListener("change", ({ target }) => {
    answers[Number(target.value)].feedback.hidden = true;
    summary.textContent = "";
  });
  const show = () => {
    const chosen = answers.filter((answer, index) => inputs[index].checked);
    answers.forEach((answer) => (answer.feedback.hidden = !chosen.includes(answer)));
    const wrong = chosen.some((answer) => !answer.right);
    const right = !wrong && chosen.length === answers.filter((answer) => answer.right).length;
    const { nothing, complete, more, mixed } = words();
    summary.textContent = !chosen.length ? nothing : wrong ? mixed : right ? complete : more;
    return right;
  };
  return {
    check() {
      const answer = inputs.flatMap((input, index) => (input.checked ? [index] : []));
      const right = show();
      return answer.length ? { right, answer } : null;
    },
    restore(chosen) {
      if (!Array.isArray(chosen) || !chosen.every((index) => inputs[index])) return;
      for (const index of chosen) inputs[index].checked = true;
      show();
    },
    clear() {
      answers.forEach((answer) => (answer.feedback.hidden = true));
      summary.textContent = "";
    },
  };
}

/** A number, within the tolerance of a right one, of a known wrong one, or any other. */
function buildNumeric(label, group, answers) {
  const id = `${label}-number`;
  const input = make("input", { type: "text", inputmode: "decimal", id, class: "nn-quiz-number", spellcheck: "false",
    "aria-describedby": `${label}-reply` });
  const problem = make("p", { class: "nn-quiz-summary" });
  const reply = make("div", { class: "nn-quiz-reply", id: `${label}-reply`, role: "status" }, problem);
  reply.append(...answers.map((answer) => answer.feedback));
  const line = make("div", { class: "nn-quiz-line" }, make("label", { for: id }, words().answer), input,
    make("button", { type: "submit", class: "nn-quiz-button" }, words().check));
  group.append(line, reply);
  const show = (shown, text = "") => {
    answers.forEach((answer) => (answer.feedback.hidden = answer !== shown));
    problem.textContent = text;
    problem.hidden = !text;
    input.toggleAttribute("aria-invalid", Boolean(text));
  };
  const find = (number) => answers.find((answer) => !answer.other && isWithin(number, answer.value, answer.tolerance))
    ?? answers.find((answer) => answer.other);
  show(null);
  input.addEventListener("input", () => show(null));
  return {
    check() {
      const number = parseNumber(input.value);
      if (Number.isNaN(number)) {
        show(null, words().unreadable);
        return null;
      }
      const answer = find(number);
      show(answer);
      return { right: answer.right, answer: input.value };
    },
    restore(text) {
      const number = typeof text === "string" ? parseNumber(text) : NaN;
      if (Number.isNaN(number)) return;
      input.value = text;
      show(find(number));
    },
    clear: () => show(null),
  };
}

/** Offer hints one by one: each is there once the one before it has been opened. */
function stepHints(quiz) {
  const hints = [...quiz.querySelectorAll(":scope > .nn-quiz-hint")];
  hints.forEach((hint, index) => {
    hint.hidden = index > 0 && !hints[index - 1].open && !hint.open;
    hint.ontoggle = () => hint.open && hints[index + 1] && (hints[index + 1].hidden = false);
  });
}

function start() {
  const quizzes = [...document.querySelectorAll(".nn-quiz")];
  if (!quizzes.length) return;
  const score = make("p", { class: "nn-quiz-score", role: "status" });
  const restart = make("button", { type: "button", class: "nn-quiz-button" }, words().restart);
  const tell = () => {
    score.textContent = words().score(questions.filter((question) => question.first()).length, questions.length);
  };
  const questions = quizzes.map((quiz) =>
    upgrade(quiz, (label, record) => {
      writeRecords({ ...readRecords(), [label]: record });
      tell();
    }),
  );
  const records = readRecords();
  for (const question of questions) {
    const record = records[question.label];
    if (record && typeof record === "object") question.restore(record);
  }
  restart.addEventListener("click", () => {
    const kept = readRecords();
    for (const question of questions) {
      question.clear();
      delete kept[question.label];
    }
    writeRecords(kept);
    tell();
  });
  tell();
  quizzes.at(-1).after(make("div", { class: "nn-quiz-end" }, score, restart));
}

start();
