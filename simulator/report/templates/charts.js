"use strict";
// Draws every chart of the page from its description, one after the other, so that the page stays usable.
(() => {
  const LINES = {line: "solid", dashed: "dashed", dotted: "dotted", thin: "solid"};
  const MARKERS = {points: "circle", hollow: "circle", squares: "square", triangles: "triangle"};
  const LONG = 6; // letters of a category that lies aslant
  const given = JSON.parse(document.getElementById("chart-data").textContent);
  const field = name => ({field: name});
  const numbers = values => (values ?? []).map(value => value === null ? NaN : value);
  const filled = (values, n, other) => values?.length ? numbers(values) : Array(n).fill(other);

  function range(axis) {
    if (axis.ends) return new Bokeh.Range1d({start: axis.ends[0], end: axis.ends[1]});
    return new Bokeh.DataRange1d({range_padding: axis.padding});
  }

  function ticks(axis, grid, spec, upright) {
    if (spec.categories) {
      grid.visible = false;
      axis.ticker = new Bokeh.FixedTicker({ticks: spec.categories.map((_, index) => index)});
      axis.major_label_overrides = new Map(spec.categories.map((name, index) => [index, name]));
      const lies = !upright && spec.categories.some(name => name.length > LONG);
      axis.major_label_orientation = lies ? 0.6 : "horizontal";
      return;
    }
    if (spec.ticks) axis.ticker = grid.ticker = new Bokeh.FixedTicker({ticks: spec.ticks});
    axis.formatter = new Bokeh.NumeralTickFormatter({format: "0,0.[000]"});
  }

  function columns(series) {
    const n = series.x.length, x = numbers(series.x), y = numbers(series.y);
    const bottom = filled(series.bottom, n, 0);
    return {
      x, y, bottom,
      name: series.names?.length ? series.names : Array(n).fill(series.name),
      top: y.map((value, i) => bottom[i] + value),
      right: x.map((value, i) => bottom[i] + value),
      at: (["across", "ranges"].includes(series.style) ? y : x).map(value => value + series.offset),
      low: filled(series.low, n, NaN), high: filled(series.high, n, NaN),
    };
  }

  function fill(series) {
    const look = {fill_color: series.colour};
    if (!series.hatched) return look;
    return {...look, hatch_pattern: "right_diagonal_line", hatch_color: "#ffffff", hatch_alpha: 0.75,
            hatch_scale: 7, hatch_weight: 2};
  }

  function draw(plot, series) {
    const source = new Bokeh.ColumnDataSource({data: columns(series)});
    const x = field("x"), y = field("y"), at = field("at"), colour = series.colour;
    if (series.style in LINES) {
      plot.line(x, y, {source, line_color: colour, line_dash: LINES[series.style],
                       line_width: series.style === "thin" ? 1 : 2});
    } else if (series.style === "area") {
      plot.varea(x, field("bottom"), field("top"), {source, ...fill(series)});
    } else if (series.style === "bars") {
      plot.vbar(at, series.width, field("top"), field("bottom"),
                {source, line_color: null, ...fill(series)});
    } else if (series.style === "across") {
      plot.hbar(at, series.width, field("right"), field("bottom"),
                {source, line_color: null, ...fill(series)});
    } else {
      if (series.style === "ranges") {
        plot.segment(field("low"), at, field("high"), at, {source, line_color: colour, line_width: 2});
      }
      plot.scatter(x, series.style === "ranges" ? at : y, {
        source, marker: MARKERS[series.style] ?? "circle", size: 9, line_color: colour,
        fill_color: series.style === "hollow" ? null : colour});
    }
    if (series.labelled) {
      const left = series.labelled === "left";
      plot.text(x, y, field("name"), {source, text_color: colour, text_font_size: "12px", x_offset: left ? -8 : 8,
                                      y_offset: 5, text_align: left ? "right" : "left"});
    }
  }

  function colour(cells, value) {
    const scaled = cells.log ? Math.log : number => number;
    const span = scaled(cells.high) - scaled(cells.low);
    const share = span > 0 ? (scaled(value) - scaled(cells.low)) / span : 0;
    const place = Math.min(Math.max(share, 0), 1) * (given.scale.length - 1);
    const first = Math.min(Math.floor(place), given.scale.length - 2);
    const part = i => [0, 1].map(k => parseInt(given.scale[first + k].slice(2 * i + 1, 2 * i + 3), 16));
    const mixed = [0, 1, 2].map(part).map(([a, b]) => Math.round(a + (b - a) * (place - first)));
    return "#" + mixed.map(value => value.toString(16).padStart(2, "0")).join("");
  }

  function drawCells(plot, cells) {
    const data = {left: [], right: [], bottom: [], top: [], x: [], y: [], value: [], name: [], colour: []};
    cells.values.forEach((row, j) => row.forEach((value, i) => {
      if (value === null) return;
      data.left.push(cells.x[i]); data.right.push(cells.x[i + 1]);
      data.bottom.push(cells.y[j]); data.top.push(cells.y[j + 1]);
      data.x.push(cells.x[i]); data.y.push(cells.y[j]);
      data.value.push(value); data.colour.push(colour(cells, value));
      data.name.push(cells.names ? cells.names[j] : cells.name);
    }));
    const source = new Bokeh.ColumnDataSource({data});
    plot.quad(field("left"), field("right"), field("bottom"), field("top"),
              {source, fill_color: field("colour"), line_color: field("colour"), line_width: 0.5});
  }

  function tips(spec) {
    const found = [["", "@name"]];
    if (!spec.x.categories) found.push([spec.x.label ?? "", "@x{0,0.[000]}"]);
    if (!spec.y.categories) found.push([spec.y.label ?? "", "@y{0,0.[000]}"]);
    if (spec.cells) found.push([spec.cells.name, "@value{0,0.[000]}"]);
    return found;
  }

  function figure(spec) {
    const plot = Bokeh.Plotting.figure({
      height: spec.height, sizing_mode: "stretch_width", output_backend: "svg", toolbar_location: null, tools: [],
      x_range: range(spec.x), y_range: range(spec.y),
      x_axis_type: spec.x.log ? "log" : "linear", y_axis_type: spec.y.log ? "log" : "linear",
      x_axis_label: spec.x.label ?? null, y_axis_label: spec.y.label ?? null,
    });
    for (const band of spec.bands ?? []) {
      plot.add_layout(new Bokeh.BoxAnnotation({left: band.first, right: band.last, fill_color: band.colour,
                                               fill_alpha: 0.1, line_color: null}));
    }
    if (spec.cells) drawCells(plot, spec.cells);
    for (const series of spec.series ?? []) draw(plot, series);
    ticks(plot.xaxis, plot.xgrid, spec.x, false);
    ticks(plot.yaxis, plot.ygrid, spec.y, true);
    plot.add_tools(new Bokeh.HoverTool({tooltips: tips(spec)}));
    return plot;
  }

  // The table beside a chart is its way in for the keyboard: the drawing itself is one picture.
  function noTabStops(root) {
    for (const found of root.querySelectorAll("*")) {
      if (found.tabIndex >= 0) found.tabIndex = -1;
      if (found.shadowRoot) noTabStops(found.shadowRoot);
    }
  }

  async function all() {
    for (const spec of given.charts) {
      const place = document.getElementById(`${spec.key}-chart`);
      await Bokeh.Plotting.show(figure(spec), place);
      noTabStops(place);
      await new Promise(done => setTimeout(done));
    }
    document.documentElement.dataset.charts = "drawn";
  }

  all();
})();
