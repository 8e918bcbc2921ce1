// What sets the formulas, bundled by update.sh into mathjax/tex-chtml.js: MathJax without its menu, which is 40 % of
// its combined file. The menu (and the speech explorer in it) is fetched when a reader first asks for it, with a right
// click on a formula or a button with the attribute data-nn-formula-menu, and from then on with every page.
import "mathjax-full/components/src/startup/init.js";
import "./preload.js";
import "mathjax-full/components/src/core/core.js";
import "mathjax-full/components/src/input/tex/tex.js";
import "mathjax-full/components/src/output/chtml/chtml.js";
import "mathjax-full/components/src/output/chtml/fonts/tex/tex.js";
import "mathjax-full/components/src/a11y/assistive-mml/assistive-mml.js";
import "./menu.js";
import "mathjax-full/components/src/startup/startup.js";
