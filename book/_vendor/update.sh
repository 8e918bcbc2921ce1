#!/bin/sh
# Re-create the pinned copies of third-party scripts that the website serves itself.
# Needs npm and the network; run from anywhere: `make vendor` or `sh book/_vendor/update.sh`.
set -eu

MATHJAX=3.2.2
FONTAWESOME=6.7.2
ESBUILD=0.25.5
AXE=4.14.1
PYODIDE=314.0.7

here=$(cd "$(dirname "$0")" && pwd)
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

command -v npm >/dev/null || { echo "update.sh: npm is not installed; it is needed to fetch the packages" >&2; exit 1; }

(cd "$scratch" && npm install --silent --no-audit --no-fund \
    "esbuild@$ESBUILD" "mathjax@$MATHJAX" "@fortawesome/fontawesome-svg-core@$FONTAWESOME" \
    "@fortawesome/free-solid-svg-icons@$FONTAWESOME" "@fortawesome/free-brands-svg-icons@$FONTAWESOME" >/dev/null)
esbuild=$scratch/node_modules/.bin/esbuild

# formulas/ reads TeX and writes HTML. Fonts, TeX extensions, the menu and the speech explorer are fetched on demand from
# the same folder, so their relative paths have to stay as they are in the package `mathjax`; the sources that we bundle
# are in `mathjax-full`, whose other dependencies (the explorer's) are not needed.
es5=$scratch/node_modules/mathjax/es5
target=$here/mathjax
rm -rf "$target"
mkdir -p "$target/output/chtml/fonts" "$target/input/tex" "$target/sre/mathmaps" "$target/ui"
cp -r "$es5/output/chtml/fonts/woff-v2" "$target/output/chtml/fonts/"
cp -r "$es5/input/tex/extensions" "$target/input/tex/"
cp -r "$es5/a11y" "$target/"
cp "$es5/input/mml.js" "$target/input/"
cp "$es5/ui/menu.js" "$target/ui/"
for locale in base en es; do cp "$es5/sre/mathmaps/$locale.json" "$target/sre/mathmaps/"; done
cp "$scratch/node_modules/mathjax/LICENSE" "$target/LICENSE"
(cd "$scratch" && npm pack --silent "mathjax-full@$MATHJAX" >/dev/null && tar xzf "mathjax-full-$MATHJAX.tgz" \
    && mv package node_modules/mathjax-full)
cp "$here"/formulas/*.js "$scratch/"
(cd "$scratch" && "$esbuild" entry.js --bundle --minify --format=iife --legal-comments=none --log-level=warning \
    --define:global=window --define:__dirname="\"\"" --define:PACKAGE_VERSION="\"$MATHJAX\"" --outfile="$target/tex-chtml.js" \
    --banner:js="/*! MathJax $MATHJAX, Apache-2.0, see LICENSE in this folder; bundled by update.sh. */")
printf 'MathJax %s, from npm (mathjax@%s, folder es5; tex-chtml.js is bundled from mathjax-full@%s without the menu).\nLicense: Apache-2.0, see LICENSE.\n' "$MATHJAX" "$MATHJAX" "$MATHJAX" > "$target/VERSION"

# The theme's icons are one script with all of Font Awesome; ours has the icons that the site uses.
cp "$here/icons.js" "$scratch/icons.js"
(cd "$scratch" && "$esbuild" icons.js --bundle --minify --format=iife --legal-comments=inline --log-level=warning \
    --outfile=fontawesome.js)
mkdir -p "$here/scripts"
cp "$scratch/fontawesome.js" "$here/scripts/fontawesome.js"
cp "$scratch/node_modules/@fortawesome/free-solid-svg-icons/LICENSE.txt" "$here/scripts/LICENSE-fontawesome.txt"

# Python for the cells that a reader may edit and run: the interpreter and its standard library, no packages. A module is
# named .js, because many servers do not know .mjs; the list of packages is emptied, so that none is looked for elsewhere.
(cd "$scratch" && npm pack --silent "pyodide@$PYODIDE" >/dev/null && tar xzf "pyodide-$PYODIDE.tgz" && mv package pyodide)
python=$here/pyodide
mkdir -p "$python"  # the licenses in it are not part of the package: they stay
cp "$scratch/pyodide/pyodide.asm.wasm" "$scratch/pyodide/python_stdlib.zip" "$python/"
chmod 644 "$python/pyodide.asm.wasm"
for module in pyodide pyodide.asm; do
  sed -e 's/pyodide\.asm\.mjs/pyodide.asm.js/' -e '/^\/\/# sourceMappingURL=/d' "$scratch/pyodide/$module.mjs" > "$python/$module.js"
done
node -e 'const fs = require("fs"); const lock = JSON.parse(fs.readFileSync(process.argv[1])); lock.packages = {};
    fs.writeFileSync(process.argv[2], JSON.stringify(lock) + "\n")' \
    "$scratch/pyodide/pyodide-lock.json" "$python/pyodide-lock.json"
printf 'Pyodide %s, from npm (pyodide@%s); pyodide.js and pyodide.asm.js are its .mjs files.\nLicense: MPL-2.0, see LICENSE; the Python in it: see LICENSE-python. Sources: github.com/pyodide/pyodide.\n' \
    "$PYODIDE" "$PYODIDE" > "$python/VERSION"

# axe-core looks for accessibility faults in tests/book; it is not part of the site.
tests=$here/../../tests/book/vendor
(cd "$scratch" && npm pack --silent "axe-core@$AXE" >/dev/null && tar xzf "axe-core-$AXE.tgz")
mkdir -p "$tests"
cp "$scratch/package/axe.min.js" "$tests/axe.min.js"
cp "$scratch/package/LICENSE" "$tests/LICENSE-axe-core"

echo "wrote $target, $here/scripts, $python and $tests"
