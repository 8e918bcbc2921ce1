"""The text that the page's extensions work on: pictures, style sheets, descriptions, names for a screen reader."""

from __future__ import annotations

import base64
import io

import pytest
from accessible_theme import mend, name_toggles
from light_pages import lighter_png, picture_size, reserve_space, slim_svg, slim_theme
from page_meta import shorten
from PIL import Image
from repository_links import colab_address

SVG = """<?xml version="1.0"?>
<!DOCTYPE svg PUBLIC "-//W3C//DTD SVG 1.1//EN" "http://www.w3.org/Graphics/SVG/1.1/DTD/svg11.dtd">
<svg width="300.5pt" height="150pt" viewBox="0 0 300.5 150" xmlns="http://www.w3.org/2000/svg">
 <metadata><title>Matplotlib</title></metadata>
 <path d="M 1.23456 -7.891011
L 2.0000004 0 z" style="fill: #fcfcfa"/>
 <g transform="translate(3.14159 2.71828) scale(0.015625)">
  <!-- a label --><use x="61.279297" href="#DejaVuSans-31"/>
 </g>
</svg>"""


def test_a_picture_keeps_its_shape_with_fewer_digits():
    slim = slim_svg(SVG)
    assert 'd="M 1.23 -7.89 L 2 0 z"' in slim
    assert 'transform="translate(3.14 2.72) scale(0.015625)"' in slim  # a scale multiplies everything: all its digits
    assert 'x="61.28"' in slim and 'viewBox="0 0 300.5 150"' in slim and 'href="#DejaVuSans-31"' in slim
    assert not any(part in slim for part in ("<?xml", "DOCTYPE", "metadata", "<!--"))
    assert slim_svg(slim) == slim


@pytest.mark.parametrize(("mode", "color"), [("L", 130), ("RGB", (10, 200, 30)), ("RGBA", (10, 200, 30, 128))])
def test_an_embedded_picture_keeps_its_pixels_in_fewer_bytes(mode, color):
    noise = Image.effect_noise((60, 50), 80)
    picture = Image.blend(noise, Image.new("L", noise.size, 130), 0.5) if mode == "L" else noise.convert(mode)
    if mode != "L":
        picture.paste(color, (10, 10, 30, 30))
    written = io.BytesIO()
    picture.convert("RGBA").save(written, "PNG", compress_level=1)
    before = base64.b64encode(written.getvalue()).decode()
    after = lighter_png(before[:70] + "\n" + before[70:])
    assert len(after) < 0.6 * len(before) if mode == "L" else len(after) <= len(before)
    with Image.open(io.BytesIO(base64.b64decode(after))) as read:
        assert read.convert("RGBA").tobytes() == picture.convert("RGBA").tobytes()


def test_space_between_words_stays():
    assert "<text><tspan>two</tspan> <tspan>words</tspan></text>" in slim_svg(
        "<svg>\n<text><tspan>two</tspan> <tspan>words</tspan></text>\n</svg>")


def test_size_of_a_picture_in_pixels(tmp_path):
    path = tmp_path / "picture.svg"
    path.write_text(SVG, encoding="utf-8")
    assert picture_size(path) == (401, 200)  # 4/3 pixels a point
    path.write_text('<svg viewBox="0 0 3 1"></svg>', encoding="utf-8")
    assert picture_size(path) is None


def test_pictures_get_their_size_and_all_but_the_first_wait():
    body = '<img alt="a" src="../_images/a.svg" /><img src="../_images/b.svg"><img src="x.svg" width="3">'
    sizes = {"a.svg": (10, 20), "b.svg": (30, 40), "x.svg": (5, 5)}
    assert reserve_space(body, sizes.get) == (
        '<img width="10" height="20" alt="a" src="../_images/a.svg" />'
        '<img width="30" height="40" loading="lazy" src="../_images/b.svg">'
        '<img loading="lazy" src="x.svg" width="3">')


def test_the_icon_font_leaves_the_theme():
    css = ('@font-face{font-family:Font Awesome\\ 6 Free;src:url(a.woff2)}.fa-house:before,.fa-home{--fa:"\\f015"}'
           "p{color:red}ul svg.fa-solid{font-size:2em}")
    assert slim_theme(css) == "p{color:red}ul svg.fa-solid{font-size:2em}"
    with pytest.raises(ValueError, match="no icon font"):
        slim_theme("p{color:red}")


def test_a_description_ends_with_a_sentence_or_a_word():
    sentence = "This is a sentence of more than fifty characters in all."
    assert shorten(sentence) == sentence
    assert shorten(" ".join([sentence] * 9)) == " ".join([sentence] * 3)
    long = shorten("word " * 100)
    assert long.endswith("word…") and len(long) <= 200


def test_arrows_and_folded_cells_have_one_name():
    contents = '<a class="reference internal" href="x.html">The <code>x</code></a><details><summary><i></i></summary>'
    assert '<summary aria-label="The x"><i>' in name_toggles(contents)
    assert mend('<summary aria-label="Toggle hidden content">Show</summary>') == "<summary>Show</summary>"
    signature = mend('<span class="sig-paren">(</span>\n\n<dl>\n<dd><em>x</em>,</dd>\n</dl>\n'
                     '<dl><dt>a</dt><dd>b</dd></dl>')
    assert '<span class="nn-parameter"><em>x</em>,</span>' in signature
    assert "<dl><dt>a</dt><dd>b</dd></dl>" in signature


@pytest.mark.parametrize(("url", "address"), [
    ("", ""),
    ("https://gitlab.com/a/b", ""),
    ("https://github.com/a/b", "https://colab.research.google.com/github/a/b/blob/dev/exercises/x/x.ipynb"),
    ("https://github.com/a/b.git", "https://colab.research.google.com/github/a/b/blob/dev/exercises/x/x.ipynb"),
])
def test_colab_opens_notebooks_on_github_only(url, address):
    assert colab_address({"repository_url": url, "repository_branch": "dev"}, "exercises/x/x") == address
