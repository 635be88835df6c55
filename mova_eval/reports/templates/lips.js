// Lip sync of one clip: mean distance over the offsets, confidence over time, and the command that shows the faces.
function line(values, width, height, kind) {
  const low = Math.min(...values), spread = Math.max(...values) - low || 1;
  const at = (value, place) => `${(place / Math.max(values.length - 1, 1) * width).toFixed(1)} ${(height - 4 - (value - low) / spread * (height - 8)).toFixed(1)}`;
  return draw("path", { class: kind, d: `M${values.map(at).join("L")}` });
}
function lips(item) {
  const found = METRICS.map((name, metric) => measurement(item, metric)?.details).find((details) => Array.isArray(details?.curve));
  const curve = (found?.curve ?? []).filter(Number.isFinite).reverse();
  if (curve.length < 3 || curve.length !== found.curve.length) return [];
  const reach = (curve.length - 1) / 2, offset = found.offset_frames ?? 0;
  const said = `smallest mean distance ${Math.min(...curve).toFixed(2)} at an offset of ${offset} frames (${found.offset_ms ?? offset * 40} ms), tried from −${reach} to +${reach}`;
  const middle = (offset + reach) / (2 * reach) * 300;
  const whole = Array.isArray(found.confidence) && found.confidence.every(Number.isFinite);
  const confidence = whole ? found.confidence : [];
  return [make("h3", {}, "Lip sync"),
    draw("svg", { class: "lips", viewBox: "0 0 300 80", role: "img", "aria-label": said },
      draw("path", { class: "mark", d: `M${middle.toFixed(1)} 0V80` }), line(curve, 300, 80, "drawn")),
    make("p", { class: "dim" }, `${said[0].toUpperCase()}${said.slice(1)}; right: the sound is early.`),
    ...(confidence.length > 1 ? [draw("svg", { class: "lips", viewBox: "0 0 300 48", role: "img", "aria-label": "confidence over time" }, line(confidence, 300, 48, "drawn")),
      make("p", { class: "dim" }, `Confidence over time, up to ${Math.max(...confidence).toFixed(2)}.`)] : []),
    ITEMS[item].clip ? make("p", { class: "dim" }, "Faces, waveform and every person: ", make("code", {}, `mova-eval inspect ${decodeURIComponent(ITEMS[item].clip)}`)) : null].filter(Boolean);
}
