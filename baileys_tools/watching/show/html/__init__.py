"""The report as one HTML page. uPlot (MIT, uPlot.LICENSE) is included as published, version 1.6.32."""
