/**
 * Runs Python for `live_python.js`. Messages in: `{cells}`, the sources to run in a new namespace, of which only the
 * last one's output is shown. Messages out: `{type}` is `ready`, `failed` (with `text`), `output` (with `text`, and
 * `cut` where the rest is left out), `done` (with `error`, the name of an exception or an empty string), or `broken`.
 */

import { loadPyodide } from "./pyodide/pyodide.js";

const HERE = new URL("./pyodide/", import.meta.url).href;
const MOST = 20_000; // characters of output that a run may show
const PAUSE = 50; // milliseconds between two messages with output

const DRIVER = `
import ast, io, linecache, sys, traceback

class Page(io.TextIOBase):
    """A text stream that ends on the page."""
    def __init__(self, send):
        self.send = send
    def writable(self):
        return True
    def write(self, text):
        self.send(text)
        return len(text)

def run_cell(name, source, namespace):
    """Run a cell; the value of a last line that is an expression is shown, as in a notebook."""
    linecache.cache[name] = (len(source), None, source.splitlines(True), name)
    tree = ast.parse(source, name)
    last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
    exec(compile(tree, name, "exec"), namespace)
    if last is not None:
        value = eval(compile(ast.Expression(last.value), name, "eval"), namespace)
        if value is not None:
            print(repr(value))

def run(sources, send):
    """Run the cells in order, showing what the last one prints; return the name of the exception that ended them."""
    namespace = {"__name__": "__main__"}
    silent = Page(lambda text: None)
    sys.stdin, page = None, Page(send)
    for number, source in enumerate(sources, start=1):
        is_last = number == len(sources)
        sys.stdout = sys.stderr = page if is_last else silent
        try:
            run_cell("this cell" if is_last else f"live cell {number} of this page", source, namespace)
        except BaseException as error:
            sys.stdout = sys.stderr = page
            shown = error.__traceback__
            while shown and shown.tb_frame.f_code.co_filename in ("driver", ast.__file__):
                shown = shown.tb_next
            send("".join(traceback.format_exception(type(error), error, shown)))
            return type(error).__name__
    return ""
`;

// A server that does not know the type of .wasm files is no reason to fail.
const { instantiateStreaming } = WebAssembly;
WebAssembly.instantiateStreaming = async (promise, imports) => {
  const response = await promise;
  return response.headers.get("Content-Type") === "application/wasm"
    ? instantiateStreaming.call(WebAssembly, response, imports)
    : WebAssembly.instantiate(await response.arrayBuffer(), imports);
};

async function load() {
  // No package is ever fetched: the lock lists none, and its base is this folder, not the host that Pyodide would ask.
  const pyodide = await loadPyodide({ indexURL: HERE, packageBaseUrl: HERE });
  const driver = pyodide.toPy({});
  pyodide.runPython(DRIVER, { globals: driver, filename: "driver" });
  return driver.get("run");
}

/** Collects output, and posts it now and then and not beyond the limit. */
function outlet() {
  let waiting = "";
  let shown = 0;
  let last = 0;
  const post = () => {
    if (waiting) postMessage({ type: "output", text: waiting, cut: shown > MOST });
    waiting = "";
    last = performance.now();
  };
  return {
    write(text) {
      if (shown > MOST) return;
      waiting += text.slice(0, MOST - shown);
      shown += text.length;
      if (shown > MOST || performance.now() - last > PAUSE) post();
    },
    post,
  };
}

try {
  const run = await load();
  addEventListener("message", ({ data }) => {
    const { write, post } = outlet();
    try {
      const error = run(data.cells, write);
      post();
      postMessage({ type: "done", error });
    } catch (error) {
      // The interpreter itself broke down, as it does when its memory or its stack is used up.
      postMessage({ type: "broken", text: String(error.message ?? error) });
    }
  });
  postMessage({ type: "ready" });
} catch (error) {
  postMessage({ type: "failed", text: String(error.message ?? error) });
}
