"""What mkdocs calls: pages made from the code at every build, and links that lead out of docs/."""

from __future__ import annotations

import json
import posixpath
import re
import sys
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT), str(Path(__file__).parent)]

import reference  # noqa: E402  # beside this file, which mkdocs loads by its path

COPIED = {
    "CONTRIBUTING.md": "project/contributing.md",
    "CHANGELOG.md": "project/changelog.md",
    "traces/README.md": "reference/shipped-traces.md",
}
# A study's page, and its report as it is.
STUDIES = [page.parent.name for page in sorted(ROOT.glob("reports/studies/*/README.md"))]
COPIED |= {f"reports/studies/{name}/README.md": f"studies/{name}.md" for name in STUDIES}
REPORTS = {f"reports/studies/{name}/report.html": f"studies/{name}-report.html" for name in STUDIES}
LINK = re.compile(r"(?<!!)\[(?P<text>[^\]]*)\]\((?P<target>[^)#\s]+)(?P<anchor>#[^)\s]*)?\)")
HIDDEN = re.compile(r"^<!-- (?:check\n.*?|output[^\n]*|end )-->\n?", re.DOTALL | re.MULTILINE)
FENCE = re.compile(r"^```.*?^```$", re.DOTALL | re.MULTILINE)


def on_config(config: Any) -> Any:
    """Pages that nobody has given a place in mkdocs.yml come last in the reference, so that none is lost."""
    placed = set(re.findall(r"[\w/-]+\.md", json.dumps(config.nav)))
    docs = Path(config.docs_dir)
    rest = sorted(page.name for page in docs.glob("*.md") if page.name not in placed)
    for section in config.nav:
        if "Reference" in section:
            section["Reference"] += rest
    return config


def on_files(files: Files, config: Any) -> Files:
    """Adds the generated pages and those that lie elsewhere in the repository."""
    for path, text in reference.pages().items():
        files.append(File.generated(config, path, content=text))
    for source, path in COPIED.items():
        text = HIDDEN.sub("", (ROOT / source).read_text(encoding="utf-8"))
        files.append(File.generated(config, path, content=linked(text, posixpath.dirname(source), path)))
    for source, path in REPORTS.items():
        files.append(File.generated(config, path, abs_src_path=str(ROOT / source)))
    return files


def on_page_markdown(markdown: str, page: Any, config: Any, files: Files) -> str:
    """Hides the marks of outputs, and leads links on."""
    path = page.file.src_uri
    if path in COPIED.values() or page.file.generated_by:
        return markdown
    return linked(HIDDEN.sub("", markdown), posixpath.join("docs", posixpath.dirname(path)), path)


def linked(text: str, folder: str, page: str) -> str:
    """Relative links of a text that lies in `folder` of the repository, as `page` of the site has them."""
    fences: list[str] = []

    def put(match: re.Match[str]) -> str:
        fences.append(match[0])
        return f"\0{len(fences) - 1}\0"

    def lead(match: re.Match[str]) -> str:
        return _link(match, folder, page)

    text = LINK.sub(lead, FENCE.sub(put, text))
    return re.sub("\0(\\d+)\0", lambda match: fences[int(match[1])], text)


def _link(match: re.Match[str], folder: str, page: str) -> str:
    target, anchor = match["target"], match["anchor"] or ""
    path = posixpath.normpath(posixpath.join(folder, target))
    if "://" in target or target.startswith("mailto:"):
        return match[0]
    if path.startswith("scenarios/") and path.endswith(".yaml"):
        anchor = f"#{Path(path).stem}"
    there = _page_of(path)
    if there:
        return f"[{match['text']}]({posixpath.relpath(there, posixpath.dirname(page) or '.')}{anchor})"
    return match["text"] if (ROOT / path).exists() else match[0]  # a file that is no page: no link


def _page_of(path: str) -> str:
    """The site's page for a path of the repository; "" for what is none."""
    if path.startswith("docs/") and path.endswith(".md"):
        return path.removeprefix("docs/")
    if path == "scenarios" or path.startswith("scenarios/"):
        return "reference/scenarios.md"
    return "index.md" if path == "README.md" else (COPIED | REPORTS).get(path, "")
