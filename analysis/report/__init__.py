"""The report: one page, its Markdown twin, its figures and the lint that reads them."""
