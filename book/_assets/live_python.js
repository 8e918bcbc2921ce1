/**
 * Edit and run: a button for each code cell with the tag `live`. Python is loaded, from this site, when the first of
 * them is pressed; it runs in a worker, so that a loop without an end can be stopped.
 */

const STRINGS = {
  en: {
    edit: "Edit and run",
    run: "Run",
    stop: "Stop",
    reset: "Reset",
    code: "Python code",
    output: "Output",
    keys: "Ctrl+Enter (⌘+Enter) runs. Tab indents; to leave the editor, press Escape, then Tab.",
    loading: "Loading Python, 6 MB, once …",
    failed: (text) => `Python could not be loaded: ${text}. Press Run to try again.`,
    running: "Running …",
    done: "Done.",
    error: "Python reports an error.",
    stopped: "Stopped.",
    cut: "… the output is cut here, at 20,000 characters.",
    missing: "Python in your browser has its standard library only.",
  },
};

function words() {
  return STRINGS[document.documentElement.lang.slice(0, 2)] ?? STRINGS.en;
}

function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

/** One worker for the page, started when it is needed first and anew after it was ended. It runs one cell at a time. */
function interpreter() {
  let worker = null;
  let ready = null;
  let giveUp = null; // ends the waiting for a worker that loads
  let current = null; // the cell that runs: what it is told, and what happens when it is ended
  const end = () => {
    const ended = current;
    worker?.terminate();
    giveUp?.(null);
    worker = ready = giveUp = current = null;
    ended?.stopped();
  };
  /** Resolves when Python is there; rejects with an error, or with null where it was ended before. */
  const load = () => {
    ready ??= new Promise((resolve, reject) => {
      giveUp = reject;
      worker = new Worker(new URL("./live_python_worker.js", import.meta.url), { type: "module" });
      const fail = (text) => {
        reject(new Error(text));
        end();
      };
      worker.addEventListener("error", (event) => fail(event.message || "its script did not arrive"));
      worker.addEventListener("message", ({ data }) => {
        if (data.type === "ready") resolve();
        else if (data.type === "failed") fail(data.text);
        else {
          const told = current;
          if (data.type === "done") current = null;
          told?.tell(data);
          if (data.type === "broken") end();
        }
      });
    });
    return ready;
  };
  return {
    load,
    end,
    /** Run sources one after the other, in a new namespace; a cell that still runs is ended. */
    async run(cells, tell, stopped) {
      await load();
      while (current) {
        end();
        await load();
      }
      current = { tell, stopped };
      worker.postMessage({ cells });
    },
  };
}

/** Tab indents unless Escape was pressed just before; Enter keeps the indentation of the line. */
function addKeys(editor, run) {
  let leaving = false;
  const insert = (text) => document.execCommand("insertText", false, text); // keeps the editor's undo
  editor.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
      event.preventDefault();
      run();
    } else if (event.key === "Enter" && !event.shiftKey && !event.altKey && !event.isComposing) {
      const line = editor.value.slice(0, editor.selectionStart).split("\n").at(-1);
      event.preventDefault();
      insert(`\n${line.match(/^ */)[0]}${line.trimEnd().endsWith(":") ? "    " : ""}`);
    } else if (event.key === "Tab" && !event.shiftKey && !leaving) {
      event.preventDefault();
      insert("    ");
    }
    if (event.key !== "Shift") leaving = event.key === "Escape";
  });
}

/**
 * Give a cell its button, and the editor that the button opens.
 * @param {HTMLElement} cell
 * @param {number} index of the cell among the live cells of the page
 * @param {ReturnType<typeof interpreter>} python
 * @param {(index: number) => string[]} sourcesUpTo the sources of the live cells up to and with this one
 * @returns {() => string} the cell's present source
 */
function addButton(cell, index, python, sourcesUpTo) {
  const input = cell.querySelector(".cell_input");
  const original = input.querySelector("pre").textContent.replace(/\n$/, "");
  const computed = cell.querySelector(".cell_output");
  const edit = make("button", { type: "button", class: "nn-live-python-button" }, words().edit);
  let editor = null;

  function open() {
    const id = `nn-live-python-${index}`;
    editor = make("textarea", { class: "nn-live-python-editor", "aria-label": words().code, wrap: "off",
      "aria-describedby": `${id}-keys`, spellcheck: "false", autocapitalize: "off", autocomplete: "off" });
    editor.value = original;
    const fit = () => (editor.rows = editor.value.split("\n").length + 1);
    const runButton = make("button", { type: "button", class: "nn-live-python-button" }, words().run);
    const stopButton = make("button", { type: "button", class: "nn-live-python-button" }, words().stop);
    const resetButton = make("button", { type: "button", class: "nn-live-python-button" }, words().reset);
    const status = make("span", { class: "nn-live-python-status", role: "status" });
    const output = make("pre", { class: "nn-live-python-output", role: "log", tabindex: "0",
      "aria-label": words().output });
    const keys = make("p", { class: "nn-live-python-keys", id: `${id}-keys` }, words().keys);
    const bar = make("div", { class: "nn-live-python-bar" }, runButton, stopButton, resetButton, status);
    output.hidden = true;
    stopButton.disabled = true;
    let running = false;

    const say = (text) => (status.textContent = text);
    const setRunning = (isRunning) => {
      running = runButton.disabled = isRunning;
      stopButton.disabled = !isRunning;
    };
    const finish = (text) => {
      setRunning(false);
      say(text);
    };
    const hear = ({ type, text, cut, error }) => {
      if (type === "output") output.append(text, ...(cut ? [`\n${words().cut}\n`] : []));
      if (type === "broken") output.append(text, "\n");
      if (error === "ModuleNotFoundError") output.append(words().missing, "\n");
      output.classList.toggle("nn-live-python-error", type === "broken" || Boolean(error));
      if (type === "done") finish(error ? words().error : words().done);
    };
    const run = async () => {
      if (running) return;
      setRunning(true);
      say(words().loading);
      output.textContent = "";
      try {
        await python.load();
        say(words().running);
        output.hidden = false;
        if (computed) computed.hidden = true;
        await python.run(sourcesUpTo(index), hear, () => finish(words().stopped));
      } catch (error) {
        finish(error ? words().failed(error.message) : words().stopped);
      }
    };
    runButton.addEventListener("click", run);
    stopButton.addEventListener("click", () => {
      python.end();
      runButton.focus();
    });
    resetButton.addEventListener("click", () => {
      if (running) python.end();
      editor.value = original;
      fit();
      say("");
      output.hidden = true;
      if (computed) computed.hidden = false;
    });
    editor.addEventListener("input", fit);
    addKeys(editor, run);
    fit();
    input.hidden = true;
    edit.remove();
    input.after(make("div", { class: "nn-live-python" }, editor, keys, bar, output));
    editor.focus();
    say(words().loading);
    python.load().then(
      () => running || say(""),
      (error) => running || say(error ? words().failed(error.message) : ""),
    );
  }

  edit.addEventListener("click", open);
  input.after(edit);
  return () => editor?.value ?? original;
}

const cells = [...document.querySelectorAll("div.cell.tag_live")];
const python = interpreter();
const sources = cells.map((cell, index) =>
  addButton(cell, index, python, (last) => sources.slice(0, last + 1).map((source) => source())),
);
