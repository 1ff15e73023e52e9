"""The line at the end of every page: where programs, documents and people are to be found."""

from ui.downloads import base_path
from ui.markup import in_html

DOCS, ISSUES = "/tree/main/docs", "/issues"


def footer(source: str) -> str:
    """HTML with links to the API, and where source is set to documents, source and issues.

    source: the address of the repository, or nothing.
    """
    links = {"API (OpenAPI)": f"{base_path()}/openapi.json"}
    if source:
        links |= {
            "Documentation": source + DOCS,
            "Source": source,
            "Report an issue": source + ISSUES,
        }
    written = (
        f'<a href="{in_html(address)}" target="_blank" rel="noopener">{title}</a>'
        for title, address in links.items()
    )
    where = "" if source else "<span>Documentation: the folder docs in the source</span>"
    return f'<div class="tox-footer">{"".join(written)}{where}</div>'
