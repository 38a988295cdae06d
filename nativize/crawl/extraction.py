"""From an HTML page to the text of its main content."""

from resiliparse.extract.html2text import extract_plain_text


def extract_text(html: str) -> str:
    """The main content of an HTML page, one block a line."""
    text: str = extract_plain_text(
        html,
        preserve_formatting=True,
        main_content=True,
        list_bullets=False,
        alt_texts=False,
        comments=False,
        post_meta=False,
    )
    return text
