#!/bin/sh
# Re-create the pinned copies of third-party scripts that the website serves itself.
# Needs npm and the network; run from anywhere: `make vendor` or `sh book/_vendor/update.sh`.
set -eu

MATHJAX=3.2.2
FONTAWESOME=6.7.2
ESBUILD=0.25.5

here=$(cd "$(dirname "$0")" && pwd)
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

command -v npm >/dev/null || { echo "update.sh: npm is not installed; it is needed to fetch the packages" >&2; exit 1; }

(cd "$scratch" && npm pack --silent "mathjax@$MATHJAX" >/dev/null && tar xzf "mathjax-$MATHJAX.tgz")
es5=$scratch/package/es5
target=$here/mathjax
rm -rf "$target"
# tex-chtml.js reads TeX and writes HTML; fonts, TeX extensions and the speech explorer are fetched on demand
# from the same folder, so the relative paths have to stay as they are in the package.
mkdir -p "$target/output/chtml/fonts" "$target/input/tex" "$target/sre/mathmaps"
cp "$es5/tex-chtml.js" "$target/"
cp -r "$es5/output/chtml/fonts/woff-v2" "$target/output/chtml/fonts/"
cp -r "$es5/input/tex/extensions" "$target/input/tex/"
cp -r "$es5/a11y" "$target/"
cp "$es5/input/mml.js" "$target/input/"
for locale in base en es; do cp "$es5/sre/mathmaps/$locale.json" "$target/sre/mathmaps/"; done
cp "$scratch/package/LICENSE" "$target/LICENSE"
printf 'MathJax %s, from npm (mathjax@%s, folder es5). License: Apache-2.0, see LICENSE.\n' "$MATHJAX" "$MATHJAX" \
    > "$target/VERSION"

# The theme's icons are one script with all of Font Awesome; ours has the icons that the site uses.
cp "$here/icons.js" "$scratch/icons.js"
(cd "$scratch" && npm install --silent --no-audit --no-fund "@fortawesome/fontawesome-svg-core@$FONTAWESOME" \
    "@fortawesome/free-solid-svg-icons@$FONTAWESOME" "@fortawesome/free-brands-svg-icons@$FONTAWESOME" \
    "esbuild@$ESBUILD" >/dev/null \
    && node_modules/.bin/esbuild icons.js --bundle --minify --format=iife --legal-comments=inline --log-level=warning \
        --outfile=fontawesome.js)
mkdir -p "$here/scripts"
cp "$scratch/fontawesome.js" "$here/scripts/fontawesome.js"
cp "$scratch/node_modules/@fortawesome/free-solid-svg-icons/LICENSE.txt" "$here/scripts/LICENSE-fontawesome.txt"

echo "wrote $target and $here/scripts"
