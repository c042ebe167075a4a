//! A message as its reader sees it, whatever the provider calls its parts: for pages and plain
//! text, never for the wire.

/// A part of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Block {
    /// The headline.
    Title(String),
    /// Text of one or more lines.
    Paragraph(Vec<Span>),
    /// Names and values.
    Fields(Vec<(String, Vec<Span>)>),
    /// What somebody else said.
    Quote(Vec<Span>),
    /// Links side by side: a label and an address each.
    Links(Vec<(String, String)>),
}

/// A part of a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Span {
    /// As it is; may hold line feeds.
    Text(String),
    /// Bold.
    Strong(Vec<Self>),
    /// In italics.
    Emphasis(Vec<Self>),
    /// As typed into a terminal.
    Code(String),
    /// A label and the address behind it.
    Link(String, String),
}

/// The blocks as plain text.
pub fn plain(blocks: &[Block]) -> String {
    blocks.iter().map(plain_block).collect::<Vec<_>>().join("\n")
}

fn plain_block(block: &Block) -> String {
    let lines: Vec<String> = match block {
        Block::Title(text) => vec![text.clone()],
        Block::Paragraph(spans) => vec![plain_text(spans)],
        Block::Fields(fields) => {
            fields.iter().map(|(name, value)| format!("{name}: {}", plain_text(value))).collect()
        }
        Block::Quote(spans) => plain_text(spans).lines().map(|line| format!("> {line}")).collect(),
        Block::Links(links) => links.iter().map(|(label, url)| format!("[{label}] {url}")).collect(),
    };
    lines.join("\n")
}

/// Text without its marks; links show their address.
pub fn plain_text(spans: &[Span]) -> String {
    let plain_span = |span: &Span| match span {
        Span::Text(text) | Span::Code(text) => text.clone(),
        Span::Strong(inner) | Span::Emphasis(inner) => plain_text(inner),
        Span::Link(label, url) if label == url => url.clone(),
        Span::Link(label, url) => format!("{label} ({url})"),
    };
    spans.iter().map(plain_span).collect()
}
