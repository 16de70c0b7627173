"""Charts as SVG: bars and lines, plain enough to be read in both light and dark pages."""

import html
import math

WIDTH = 860
FONT = 'font-family="sans-serif"'
INK, PALE, BACK = "#222222", "#cccccc", "#ffffff"
COLOURS = ("#1f77b4", "#d62728", "#2ca02c", "#9467bd", "#ff7f0e", "#8c564b", "#17becf", "#7f7f7f")


def figure(value):
    """A number as a reader wants it: three digits, thousands set apart."""
    if value == 0:
        return "0"
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}" if abs(value) < 1 else f"{value:.2f}".rstrip("0").rstrip(".")


def text(x, y, words, size=13, anchor="start", colour=INK, extra=""):
    return (f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" text-anchor="{anchor}" '
            f'fill="{colour}" {FONT} {extra}>{html.escape(str(words))}</text>')


def line(x1, y1, x2, y2, colour=INK, width=1.0, dash=""):
    dashes = f' stroke-dasharray="{dash}"' if dash else ""
    return (f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{colour}" '
            f'stroke-width="{width}"{dashes}/>')


def page(height, title, note, parts):
    head = (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" '
            f'width="{WIDTH}" height="{height}" role="img">'
            f'<title>{html.escape(title)}</title>'
            f'<rect width="{WIDTH}" height="{height}" fill="{BACK}"/>')
    words = [text(20, 30, title, 18, extra='font-weight="bold"'), text(20, 50, note, 12, "start",
                                                                       "#555555")]
    return "\n".join([head, *words, *parts, "</svg>"]) + "\n"


def ticks_of(low, high, log):
    """Round values from low to high for an axis."""
    if log:
        first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
        steps = (1,) if last - first > 3 else (1, 2, 5)
        every = [step * 10.0 ** power for power in range(first, last + 1) for step in steps]
        return [tick for tick in every if low <= tick <= high * 1.0001]
    span = high - low or 1
    step = 10.0 ** math.floor(math.log10(span / 4))
    for factor in (1, 2, 5, 10):
        if span / (step * factor) <= 6:
            step *= factor
            break
    first = math.ceil(low / step - 1e-9)
    return [i * step for i in range(first, math.floor(high / step + 1e-9) + 1)]


def step_below(value):
    """The largest 1, 2 or 5 of a decade that is not above the value."""
    decade = 10.0 ** math.floor(math.log10(value))
    return max(decade * step for step in (1, 2, 5) if decade * step <= value * 1.000001)


def step_above(value):
    decade = 10.0 ** math.floor(math.log10(value))
    return min(decade * step for step in (1, 2, 5, 10, 20) if decade * step > value * 1.000001)


class Scale:
    """Values to pixels."""

    def __init__(self, low, high, start, end, log=False):
        self.log = log
        if log:
            # Ticks at both ends, so that an axis has some even for a narrow range.
            low, high = step_below(low), step_above(high)
        if high <= low:
            high = low + 1
        self.low, self.high, self.start, self.end = low, high, start, end

    def __call__(self, value):
        if self.log:
            value = max(value, self.low)
            part = math.log10(value / self.low) / math.log10(self.high / self.low)
        else:
            part = (value - self.low) / (self.high - self.low)
        return self.start + part * (self.end - self.start)

    def ticks(self):
        return ticks_of(self.low, self.high, self.log)


def bar_chart(title, note, unit, bars, log=False, reference=None):
    """`bars`: (label, value, low, high, ours); low and high may be None. Horizontal bars."""
    left, right, top, step = 190, WIDTH - 90, 76, 26
    height = top + step * len(bars) + 60
    longest = max([bar[3] or bar[1] for bar in bars] + [reference or 0])
    least = min(bar[1] for bar in bars if bar[1] > 0) if log else 0
    scale = Scale(least if log else 0, longest * (1 if log else 1.05), left, right, log)
    bottom = top + step * len(bars)
    parts = []
    for tick in scale.ticks():
        parts.append(line(scale(tick), top - 6, scale(tick), bottom, PALE))
        parts.append(text(scale(tick), bottom + 16, figure(tick), 11, "middle"))
    parts.append(text((left + right) / 2, bottom + 38, unit, 12, "middle"))
    for i, (label, value, low, high, ours) in enumerate(bars):
        y = top + step * i
        end = scale(value)
        parts.append(text(left - 8, y + 15, label, 13, "end"))
        parts.append(f'<rect x="{left}" y="{y + 3}" width="{max(end - left, 1):.1f}" '
                     f'height="{step - 9}" fill="{COLOURS[0] if ours else "#9aa5b1"}"/>')
        if low is not None and high is not None:
            parts.append(line(scale(low), y + 11, scale(high), y + 11, INK, 1.5))
        parts.append(text(max(end, scale(high or value)) + 6, y + 16, figure(value), 12))
    if reference is not None:
        parts.append(line(scale(reference), top - 6, scale(reference), bottom, INK, 1.2, "5 4"))
    return page(height, title, note, parts)


def legend(x, y, names):
    parts = []
    for i, name in enumerate(names):
        colour = COLOURS[i % len(COLOURS)]
        parts.append(line(x, y + 20 * i, x + 22, y + 20 * i, colour, 3))
        parts.append(text(x + 28, y + 4 + 20 * i, name, 12))
    return parts


def line_chart(title, note, x_unit, y_unit, series, log_y=False):
    """`series`: {name: [(x, y)...]}. The legend stands at the right."""
    left, right, top, bottom = 80, WIDTH - 190, 76, 420
    points = [point for line_points in series.values() for point in line_points]
    across = Scale(0, max(x for x, _ in points), left, right)
    least = min(y for _, y in points) if log_y else 0
    up = Scale(least, max(y for _, y in points) * (1 if log_y else 1.05), bottom, top, log_y)
    parts = []
    for tick in up.ticks():
        parts.append(line(left, up(tick), right, up(tick), PALE))
        parts.append(text(left - 8, up(tick) + 4, figure(tick), 11, "end"))
    for tick in across.ticks():
        parts.append(line(across(tick), bottom, across(tick), bottom + 5))
        parts.append(text(across(tick), bottom + 19, figure(tick), 11, "middle"))
    parts.append(line(left, bottom, right, bottom))
    parts.append(text((left + right) / 2, bottom + 42, x_unit, 12, "middle"))
    middle = (top + bottom) / 2
    turned = f'transform="rotate(-90 22 {middle:.0f})"'
    parts.append(text(22, middle, y_unit, 12, "middle", extra=turned))
    for i, line_points in enumerate(series.values()):
        colour = COLOURS[i % len(COLOURS)]
        path = " ".join(f"{across(x):.1f},{up(y):.1f}" for x, y in line_points)
        parts.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
        parts += [f'<circle cx="{across(x):.1f}" cy="{up(y):.1f}" r="3" fill="{colour}"/>'
                  for x, y in line_points]
    return page(bottom + 60, title, note, parts + legend(right + 20, top + 10, series))
