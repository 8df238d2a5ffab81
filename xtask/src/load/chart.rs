//! Bar charts as SVG, readable on light and dark pages.

use std::fmt::Write as _;
use std::fs;

use super::report::folder;
use crate::command::Failed;

/// Bars of one unit, on a scale of their own.
#[derive(Debug)]
pub(crate) struct Panel {
    pub(crate) title: String,
    pub(crate) bars: Vec<Bar>,
}

#[derive(Debug)]
pub(crate) struct Bar {
    pub(crate) name: String,
    pub(crate) value: f64,
    /// The value, as it is shown.
    pub(crate) text: String,
    /// Drawn in the other colour.
    pub(crate) ours: bool,
}

const NAME: f64 = 190.0;
const LONGEST: f64 = 200.0;
const PANEL: f64 = NAME + LONGEST + 60.0;
const TITLE: f64 = 30.0;
const LINE: f64 = 20.0;

const STYLE: &str = "\
text{font:12px system-ui,sans-serif;fill:#1f2328}.title{font-weight:600}.name{text-anchor:end}\
.ours{fill:#0969da}.theirs{fill:#8c959f}\
@media(prefers-color-scheme:dark){text{fill:#e6edf3}.ours{fill:#4493f8}.theirs{fill:#6e7681}}";

/// Writes the panels, two beside each other, to a file of the benchmarks' folder.
pub(crate) fn write(file: &str, panels: &[Panel]) -> Result<(), Failed> {
    let path = folder().join(file);
    fs::write(&path, draw(panels)).map_err(|error| Failed(format!("{}: {error}", path.display())))
}

fn draw(panels: &[Panel]) -> String {
    let lines = panels.iter().map(|panel| panel.bars.len()).max().unwrap_or_default();
    let panel_height = TITLE + LINE * lines as f64 + LINE;
    let (width, height) = (2.0 * PANEL, panel_height * panels.len().div_ceil(2) as f64);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" role=\"img\"><style>{STYLE}</style>\n"
    );
    for (number, panel) in panels.iter().enumerate() {
        let (left, top) = (PANEL * (number % 2) as f64, panel_height * (number / 2) as f64);
        let _ = writeln!(
            svg,
            "<text class=\"title\" x=\"{}\" y=\"{}\">{}</text>",
            left + 10.0,
            top + 18.0,
            escaped(&panel.title)
        );
        let highest = panel.bars.iter().map(|bar| bar.value).fold(f64::MIN_POSITIVE, f64::max);
        for (line, bar) in panel.bars.iter().enumerate() {
            let y = top + TITLE + LINE * line as f64;
            let (start, length) = (left + NAME, (bar.value / highest * LONGEST).max(1.0));
            let class = if bar.ours { "ours" } else { "theirs" };
            let _ = writeln!(
                svg,
                "<text class=\"name\" x=\"{}\" y=\"{}\">{}</text>\
                 <rect class=\"{class}\" x=\"{start}\" y=\"{}\" width=\"{length:.1}\" height=\"14\" rx=\"2\"/>\
                 <text x=\"{:.1}\" y=\"{}\">{}</text>",
                start - 6.0,
                y + 12.0,
                escaped(&bar.name),
                y + 1.0,
                start + length + 5.0,
                y + 12.0,
                escaped(&bar.text)
            );
        }
    }
    svg.push_str("</svg>\n");
    svg
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_is_as_long_as_its_share_of_the_longest() {
        let bar =
            |name: &str, value| Bar { name: name.to_owned(), value, text: format!("{value}"), ours: true };
        let svg = draw(&[Panel { title: "a < b".to_owned(), bars: vec![bar("half", 2.0), bar("all", 4.0)] }]);
        assert!(svg.contains("width=\"100.0\"") && svg.contains("width=\"200.0\""), "{svg}");
        assert!(svg.contains("a &lt; b"));
    }
}
