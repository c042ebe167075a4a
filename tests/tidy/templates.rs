//! Every template file is the built-in text of a field of some kind of channel.

use std::collections::BTreeMap;

use modelpager::channels::REGISTRY;

use crate::source::SourceFile;

/// Folders of templates that no channel kind owns.
const OTHER_OWNERS: &[&str] = &["templates/ui/"];

/// The file a field's built-in template must come from → its text.
pub fn registered() -> BTreeMap<String, String> {
    let fields = REGISTRY.iter().flat_map(|kind| kind.templates.iter().map(move |field| (kind.name, field)));
    fields
        .map(|(kind, field)| (format!("templates/{kind}/{}.hbs", field.name), field.source.to_owned()))
        .collect()
}

/// Files that no kind includes, and fields whose text is not the file's.
pub fn orphans(files: &[SourceFile], registered: &BTreeMap<String, String>) -> Vec<String> {
    let owned = files.iter().filter(|file| !OTHER_OWNERS.iter().any(|folder| file.path.starts_with(folder)));
    let mut complaints: Vec<_> = owned
        .filter(|file| registered.get(&file.path) != Some(&file.text))
        .map(|file| format!("{}: no kind of channel includes this file", file.path))
        .collect();
    let absent = registered.keys().filter(|path| !files.iter().any(|file| file.path == **path));
    complaints.extend(absent.map(|path| format!("{path}: a field is named so, but there is no such file")));
    complaints
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_nobody_includes_and_a_field_without_a_file_are_seen() {
        let title = SourceFile::sample("templates/slack/title.hbs", "{{headline}}");
        let page = SourceFile::sample("templates/ui/page.hbs", "");
        let registered =
            |text: &str| BTreeMap::from([("templates/slack/title.hbs".to_owned(), text.to_owned())]);

        assert_eq!(orphans(&[title.clone(), page], &registered("{{headline}}")), Vec::<String>::new());
        assert_eq!(orphans(std::slice::from_ref(&title), &registered("another text")).len(), 1);
        assert_eq!(orphans(std::slice::from_ref(&title), &BTreeMap::new()).len(), 1);
        assert_eq!(orphans(&[], &registered("{{headline}}")).len(), 1);
    }
}
