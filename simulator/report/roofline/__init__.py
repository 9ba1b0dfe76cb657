"""The study of prefill and decode under the roof, for a terminal, a browser and a spreadsheet."""
