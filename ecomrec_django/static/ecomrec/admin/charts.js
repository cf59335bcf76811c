/* Draws each <figure data-chart> from the table inside it, so that picture and figures are always the same. */
"use strict";
(() => {
  const POINTS = ["circle", "rect", "triangle", "rectRot", "star", "crossRot"];
  const DASHES = [[], [6, 3], [2, 2], [8, 3, 2, 3]];
  const LINE_HEIGHT = 320;
  // Pixels of a bar's row by the lines of its label, and of the axis below all of them.
  const BAR_HEIGHT = [24, 24, 34];
  const AXIS_HEIGHT = 40;
  // Letters of a label beside a bar before it goes on in the next line.
  const LABEL = 24;
  // The farthest that an axis of ratios reaches; what lies beyond ends there.
  const REACH = 8;
  // Kinds of points that a map tells apart.
  const KINDS_TOLD = 6;
  // How far apart the points of two methods stand in the place of one release.
  const APART = 0.06;

  const number = (text) => (text === undefined ? null : Number(text));

  /** The rows' labels, and each drawn column as a series of its cells. */
  function read(figure) {
    const table = figure.querySelector("table");
    const rows = [...table.tBodies[0].rows].slice(0, Number(figure.dataset.most) || undefined);
    const heads = rows.map((row) => row.cells[0]);
    return {
      rows,
      labels: heads.map((head) => head.textContent.trim()),
      shorts: heads.map((head) => head.dataset.short || head.textContent.trim()),
      series: [...table.tHead.rows[0].cells].flatMap((head, column) =>
        "drawn" in head.dataset
          ? [{ title: head.textContent.trim(), cells: rows.map((row) => row.cells[column]) }]
          : [],
      ),
    };
  }

  const value = (cell) => number(cell.dataset.value);
  const bounds = (cell) => ("low" in cell.dataset ? [number(cell.dataset.low), number(cell.dataset.high)] : null);

  /** A label in at most two lines; what does not fit is in the table. */
  function wrap(label) {
    const lines = [""];
    for (const word of label.split(" ")) {
      const last = lines[lines.length - 1];
      if (last && last.length + word.length >= LABEL) lines.push(word);
      else lines[lines.length - 1] = last ? `${last} ${word}` : word;
    }
    return lines.length > 2 ? [lines[0], `${lines[1]}…`] : lines;
  }

  /** The farthest ends of all intervals, which the axis has to reach. */
  function reach(series) {
    const ends = series.flatMap(({ cells }) => cells.flatMap((cell) => bounds(cell) || []));
    return ends.length ? { suggestedMin: Math.min(...ends), suggestedMax: Math.max(...ends) } : {};
  }

  /** Whiskers from the low to the high end of every value that has them. */
  const intervals = {
    id: "intervals",
    afterDatasetsDraw(chart) {
      const lying = chart.options.indexAxis === "y";
      const scale = lying ? chart.scales.x : chart.scales.y;
      const pen = chart.ctx;
      chart.data.datasets.forEach((dataset, index) => {
        if (!chart.isDatasetVisible(index)) return;
        pen.save();
        pen.strokeStyle = dataset.whiskers;
        pen.lineWidth = 1.5;
        chart.getDatasetMeta(index).data.forEach((point, place) => {
          const ends = dataset.bounds[place];
          if (!ends) return;
          const [low, high] = ends.map((end) => scale.getPixelForValue(end));
          const across = lying ? point.y : point.x;
          const line = (...way) => {
            pen.beginPath();
            way.forEach(([along, aside]) => pen.lineTo(lying ? along : aside, lying ? aside : along));
            pen.stroke();
          };
          line([low, across], [high, across]);
          for (const end of [low, high]) line([end, across - 4], [end, across + 4]);
        });
        pen.restore();
      });
    },
  };

  function bars({ shorts, series }, colours) {
    return {
      type: "bar",
      data: {
        labels: shorts.map(wrap),
        datasets: series.map(({ title, cells }, index) => ({
          label: title,
          data: cells.map(value),
          bounds: cells.map(bounds),
          backgroundColor: colours.series[index % colours.series.length],
          whiskers: colours.text,
        })),
      },
      options: {
        indexAxis: "y",
        scales: {
          x: { beginAtZero: true, ...reach(series) },
          y: { ticks: { autoSkip: false }, grid: { display: false } },
        },
      },
    };
  }

  function ratios(read, colours) {
    const config = bars(read, colours);
    const held = (ratio) => Math.min(Math.max(ratio, 1 / REACH), REACH);
    config.data.datasets.forEach((dataset) => {
      dataset.backgroundColor = dataset.data.map((ratio) => (ratio < 1 ? colours.less : colours.more));
      dataset.data = dataset.data.map((ratio) => (ratio === null ? null : [1, held(ratio)]));
    });
    // In doublings, rounded to halves; at least one on a side that is used at all.
    const doublings = config.data.datasets.flatMap(({ data }) => data.map((bar) => (bar ? Math.log2(bar[1]) : 0)));
    const far = (most) => (most > 0 ? Math.max(1, Math.ceil(most * 2) / 2) : 0);
    const up = far(Math.max(0, ...doublings)) || 1;
    const down = far(-Math.min(0, ...doublings));
    // A mark at each doubling; of a wide axis at each second one.
    const apart = up + down > 4 ? 2 : 1;
    const first = -Math.floor(down / apart);
    const marks = Math.floor(up / apart) - first + 1;
    config.options.scales.x = {
      type: "logarithmic",
      min: 2 ** -down,
      max: 2 ** up,
      afterBuildTicks(axis) {
        axis.ticks = Array.from({ length: marks }, (_, place) => ({ value: 2 ** (apart * (first + place)) }));
      },
      ticks: { callback: (tick) => (tick < 1 ? `× 1/${Math.round(1 / tick)}` : `× ${tick}`), autoSkip: false },
      grid: { color: ({ tick }) => (tick && tick.value === 1 ? colours.text : colours.grid) },
    };
    return config;
  }

  function lines({ shorts, series }, colours) {
    const aside = (index) => (index - (series.length - 1) / 2) * APART;
    return {
      type: "line",
      data: {
        datasets: series.map(({ title, cells }, index) => {
          const colour = colours.series[index % colours.series.length];
          return {
            label: title,
            data: cells.map((cell, place) => ({ x: place + aside(index), y: value(cell) })),
            bounds: cells.map(bounds),
            borderColor: colour,
            backgroundColor: colour,
            whiskers: colour,
            borderWidth: 2,
            borderDash: DASHES[index % DASHES.length],
            pointStyle: POINTS[index % POINTS.length],
            pointRadius: 5,
          };
        }),
      },
      options: {
        scales: {
          x: {
            type: "linear",
            min: -0.5,
            max: shorts.length - 0.5,
            afterBuildTicks(axis) {
              axis.ticks = shorts.map((_, place) => ({ value: place }));
            },
            ticks: { callback: (place) => shorts[place] },
          },
          y: reach(series),
        },
      },
    };
  }

  /** A point per row, by the colour and the form of what its second cell says; the rarest of these share the last. */
  function map({ rows, labels, series }, colours) {
    const [across, up] = series.map(({ cells }) => cells.map(value));
    const kinds = rows.map((row) => row.cells[1].textContent.trim());
    const counts = new Map();
    for (const kind of kinds) counts.set(kind, (counts.get(kind) || 0) + 1);
    const often = [...counts.keys()].sort((one, other) => counts.get(other) - counts.get(one));
    const told = often.length > KINDS_TOLD ? often.slice(0, KINDS_TOLD - 1) : often;
    const groups = told.map((kind) => [kind, (other) => other === kind]);
    if (told.length < often.length) groups.push(["…", (other) => !told.includes(other)]);
    return {
      type: "scatter",
      data: {
        datasets: groups.map(([kind, is], index) => {
          const colour = colours.series[index % colours.series.length];
          const places = kinds.flatMap((other, place) => (is(other) ? [place] : []));
          return {
            label: kind,
            data: places.map((place) => ({ x: across[place], y: up[place] })),
            said: places.map((place) => `${labels[place]} (${kinds[place]})`),
            bounds: [],
            backgroundColor: colour,
            borderColor: colour,
            pointStyle: POINTS[index % POINTS.length],
            pointRadius: 4,
            clip: 8,
          };
        }),
      },
      options: {
        layout: { padding: 8 },
        scales: { x: { display: false, min: 0, max: 1 }, y: { display: false, min: 0, max: 1 } },
        plugins: { tooltip: { callbacks: { title: () => "", label: ({ dataset, dataIndex }) => dataset.said[dataIndex] } } },
      },
    };
  }

  const KINDS = { bars, ratios, lines, map };

  /** The theme's colours, as ecomrec.css and the admin give them. */
  function palette(figure) {
    const style = getComputedStyle(figure);
    const colour = (name) => style.getPropertyValue(name).trim();
    return {
      series: [1, 2, 3, 4, 5, 6].map((place) => colour(`--ecomrec-series-${place}`)),
      more: colour("--ecomrec-more"),
      less: colour("--ecomrec-less"),
      text: colour("--body-fg"),
      grid: colour("--hairline-color"),
      font: style.fontFamily,
    };
  }

  function draw(figure, canvas) {
    const found = read(figure);
    const colours = palette(figure);
    const config = KINDS[figure.dataset.chart](found, colours);
    const lying = config.type === "bar";
    const height = lying
      ? found.labels.length * BAR_HEIGHT[Math.max(...config.data.labels.map((label) => label.length))] + AXIS_HEIGHT
      : LINE_HEIGHT;
    canvas.parentNode.style.blockSize = `${height}px`;
    for (const axis of Object.values(config.options.scales)) {
      axis.ticks = { color: colours.text, ...axis.ticks };
      axis.grid = { color: colours.grid, ...axis.grid };
    }
    return new Chart(canvas, {
      ...config,
      plugins: [intervals],
      options: {
        ...config.options,
        // Nothing moves, so nobody has to ask for it.
        animation: false,
        maintainAspectRatio: false,
        font: { family: colours.font },
        plugins: {
          legend: {
            display: config.data.datasets.length > 1,
            position: "bottom",
            labels: { color: colours.text, usePointStyle: !lying, boxHeight: 6 },
          },
          tooltip: (config.options.plugins || {}).tooltip || {
            callbacks: {
              title: ([point]) => (point ? found.labels[point.dataIndex] : ""),
              label: ({ datasetIndex, dataIndex }) => {
                const { title, cells } = found.series[datasetIndex];
                return `${title}: ${cells[dataIndex].textContent.trim()}`;
              },
            },
          },
        },
      },
    });
  }

  function begin(figure) {
    if (!read(figure).series.length) return null;
    const caption = figure.querySelector("figcaption");
    const canvas = document.createElement("canvas");
    canvas.setAttribute("role", "img");
    canvas.setAttribute("aria-label", caption.textContent.trim().replace(/\s+/g, " "));
    const frame = document.createElement("div");
    frame.className = "ecomrec-canvas";
    frame.append(canvas);
    caption.after(frame);
    // A table longer than what is drawn of it, or than anybody reads, can be opened.
    if (figure.dataset.most || figure.dataset.chart === "map") figure.querySelector("details").open = false;
    return { figure, canvas, chart: draw(figure, canvas) };
  }

  const drawn = [...document.querySelectorAll("figure[data-chart]")].map(begin).filter(Boolean);

  function redraw() {
    for (const one of drawn) {
      one.chart.destroy();
      one.chart = draw(one.figure, one.canvas);
    }
  }
  new MutationObserver(redraw).observe(document.documentElement, { attributeFilter: ["data-theme"] });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
})();
