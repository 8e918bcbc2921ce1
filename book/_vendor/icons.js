// The icons of the site's buttons, bundled by update.sh into scripts/fontawesome.js: it takes the place of the theme's
// file of the same name, which carries all 2,000 icons (0.54 MB compressed).
import { dom, library } from "@fortawesome/fontawesome-svg-core";
import { faGithub, faGitlab } from "@fortawesome/free-brands-svg-icons";
import {
  faAngleLeft, faAngleRight, faArrowUp, faBars, faChevronDown, faChevronRight, faCircleHalfStroke, faCode, faDownload,
  faExpand, faFile, faFileCode, faFileLines, faFilePdf, faHome, faLightbulb, faList, faMagnifyingGlass, faMoon,
  faOutdent, faPencil, faPencilAlt, faPlay, faRocket, faSun, faXmark,
} from "@fortawesome/free-solid-svg-icons";

library.add(
  faAngleLeft, faAngleRight, faArrowUp, faBars, faChevronDown, faChevronRight, faCircleHalfStroke, faCode, faDownload,
  faExpand, faFile, faFileCode, faFileLines, faFilePdf, faHome, faLightbulb, faList, faMagnifyingGlass, faMoon,
  faOutdent, faPencil, faPencilAlt, faPlay, faRocket, faSun, faXmark, faGithub, faGitlab,
);
dom.watch();
