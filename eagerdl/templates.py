"""Program text from templates."""

import textwrap


def filled(template, **parts):
    """The template with its parts.

    A line that is nothing but a part may become several lines, or none: they are indented as it is.

    Example:
        >>> print(filled("for i in range(n):\\n    {body}", body="a += i\\nb -= i"))
        for i in range(n):
            a += i
            b -= i
    """
    lines = []
    for line in template.strip().splitlines():
        part = parts.get(line.strip()[1:-1]) if line.strip().startswith("{") else None
        if part is None:
            lines.append(line.format(**parts))
        elif part:
            lines.append(textwrap.indent(part, line[: len(line) - len(line.lstrip())]))
    return "\n".join(lines)
