#!/usr/bin/env bash
# A tracked replacement in a Word file ("20" struck out, "40" put in) is read by python-docx as neither: `Paragraph.text` leaves out runs
# inside w:ins, and deleted text stands in w:delText. "The dose is 40 mg a day." becomes "The dose is  mg a day.", and a passage that is
# indexed for retrieval holds no dose at all, while Word shows and prints the new one.
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet python-docx==1.2.0
cd "$work"
"$work/venv/bin/python" - <<'PY'
import docx
from docx.oxml import parse_xml
from docx.oxml.ns import nsdecls

document = docx.Document()
paragraph = document.add_paragraph("The dose is ")
who = 'w:author="editor" w:date="2026-01-01T00:00:00Z"'
for number, change in enumerate(["<w:del {}><w:r><w:delText>20</w:delText></w:r></w:del>", "<w:ins {}><w:r><w:t>40</w:t></w:r></w:ins>"]):
    paragraph._p.append(parse_xml(change.format(f'{nsdecls("w")} w:id="{number}" {who}')))
paragraph.add_run(" mg a day.")
document.save("letter.docx")
read = docx.Document("letter.docx").paragraphs[0]
print("python-docx", docx.__version__)
print("text:", repr(read.text), "runs:", [run.text for run in read.runs])
assert read.text == "".join(run.text for run in read.runs) == "The dose is  mg a day.", read.text
PY
