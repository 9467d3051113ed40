"""Prints what openpyxl finds in a workbook, as JSON."""
import datetime
import json
import sys

import openpyxl


def cell(c):
    value = c.value
    if value is None:
        return None
    if isinstance(value, (datetime.datetime, datetime.date)):
        value = value.isoformat(sep=" ")
    # As text: JSON readers differ in what they make of great numbers.
    return {"type": c.data_type, "value": str(value), "format": c.number_format}


book = openpyxl.load_workbook(sys.argv[1])
print(json.dumps([
    {
        "name": sheet.title,
        "freeze": sheet.freeze_panes,
        "filter": sheet.auto_filter.ref,
        "charts": [type(chart).__name__ for chart in sheet._charts],
        "widths": [d.width for d in sheet.column_dimensions.values()],
        "rows": [[cell(c) for c in row] for row in sheet.iter_rows()],
    }
    for sheet in book.worksheets
]))
