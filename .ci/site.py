"""What the site needs beyond docs/: pages at the root, and other files that pages link to."""

import os
import re
from pathlib import Path

from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File

ROOT = Path(__file__).resolve().parents[1]
PAGES = {f"{name}.md": f"{name.lower()}.md" for name in ("README", "CONTRIBUTING", "CHANGELOG")}
LINK = re.compile(r'(\]\(|src=")([^)\s"#:]+)(#[^)\s"]*)?(?=[)"])')
LOADED = re.compile(r'<(?:script|link|img|iframe)\b[^>]*\b(?:src|href)="(https?:[^"]+)"')


def on_files(files, config):
    for name, page in PAGES.items():
        text = (ROOT / name).read_text(encoding="utf-8")
        files.append(File.generated(config, page, content=text))
    return files


def on_page_markdown(markdown, page, config, files):
    here = page.file.src_uri
    home = next((ROOT / name for name, at in PAGES.items() if at == here), ROOT / "docs" / here)

    def moved(match):
        opening, name, anchor = match[1], match[2], match[3] or ""
        target = Path(os.path.normpath(home.parent / name))
        if not target.is_relative_to(ROOT) or not target.exists():
            raise PluginError(f"{here}: links to {name}, which is not there")
        inside = target.relative_to(ROOT).as_posix()
        place = PAGES.get(inside) or inside.removeprefix("docs/")
        if place == inside:
            place = copied(target, config, files)
        return f"{opening}{place}{anchor}"

    return LINK.sub(moved, markdown)


def copied(target, config, files):
    """Where the site holds a file, or a list of a folder's files, from outside docs/."""
    place = f"files/{target.relative_to(ROOT).as_posix()}"
    made = {}
    if target.is_dir():
        names = sorted(p.name for p in target.iterdir() if p.is_file())
        for name in names:
            copied(target / name, config, files)
        lines = [f'<li><a href="{n}">{n}</a></li>' for n in map(as_text, names)]
        place += "/index.html"
        made["content"] = "<ul>" + "\n".join(lines) + "</ul>\n"
    else:
        place = as_text(place)
        made["abs_src_path"] = str(target)
    if files.get_file_from_path(place) is None:
        files.append(File.generated(config, place, **made))
    return place


def as_text(name):
    """Markdown that is a result, no page."""
    return f"{name}.txt" if name.endswith(".md") else name


def on_post_page(output, page, config):
    if loaded := LOADED.search(output):
        raise PluginError(f"{page.file.src_uri}: loads {loaded[1]}; ship that file instead")
    return output
