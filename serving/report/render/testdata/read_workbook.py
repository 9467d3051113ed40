"""Prints what openpyxl finds in workbooks, as JSON."""
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


def sheets(path):
    return [
        {
            "name": sheet.title,
            "freeze": sheet.freeze_panes,
            "filter": sheet.auto_filter.ref,
            "charts": [type(chart).__name__ for chart in sheet._charts],
            "rows": [[cell(c) for c in row] for row in sheet.iter_rows()],
        }
        for sheet in openpyxl.load_workbook(path).worksheets
    ]


print(json.dumps([sheets(path) for path in sys.argv[1:]]))
