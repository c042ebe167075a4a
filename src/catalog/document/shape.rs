//! Compares what users wrote with the schema of what it should be: everything that does not
//! fit at once, and the rest, which can be read and checked further.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::Format;
use crate::catalog::faults::FieldError;
use crate::yaml::{Checker, Marks, Part, Report, View, pointer, settle_types, visit};

/// The schema of a type.
pub(in crate::catalog) struct Shape {
    checker: Checker,
    /// The least that can be read as the type.
    least: Map<String, Value>,
}

/// A value compared with a schema.
pub(in crate::catalog) struct Fit {
    /// What does not fit, with its place.
    pub problems: Vec<FieldError>,
    /// How much more does not fit.
    pub omitted: usize,
    /// The value without what does not fit; `None` when nothing is left.
    rest: Option<Value>,
    /// The least that can be read.
    least: Map<String, Value>,
    written: Value,
    marks: Marks,
    /// What does not fit, as paths.
    wrong: BTreeSet<String>,
}

impl Shape {
    /// The schema of `T`.
    pub fn of<T: JsonSchema>() -> Self {
        let settings = schemars::generate::SchemaSettings::draft2020_12();
        let root = settings.into_generator().into_root_schema_for::<T>().to_value();
        let least = View::new(&root, &[&root], &Value::Null).placeholder();
        let least = least.as_object().cloned().unwrap_or_default();
        Self { checker: Checker::new(root), least }
    }

    /// Compares a value whose parts stand where the marks say. YAML leaves the types of plain
    /// scalars open, and an empty list may be written as nothing. At most `room` problems are
    /// told.
    pub fn fit(&self, mut value: Value, marks: Marks, format: Format, room: usize) -> Fit {
        let root = self.checker.root();
        if format == Format::Yaml {
            settle_types(root, &mut value, &marks, &|_| true);
            let view = View::new(root, &[root], &value);
            visit(&view, &mut value, "", &mut fill_empty);
        }
        let mut report = Report::of_fields(marks, room);
        self.checker.check(&value, &mut report);

        let wrong: Vec<String> = report.wrong().map(str::to_owned).collect();
        let mut rest = value.clone();
        for at in &wrong {
            take_out(root, &mut rest, at);
        }
        let rest = Some(rest).filter(|_| !wrong.iter().any(String::is_empty));
        let wrong = wrong.iter().map(|at| report.marks.dotted(at)).collect();
        let marks = std::mem::take(&mut report.marks);
        let (found, omitted) = report.into_found();
        let told = found
            .into_iter()
            .map(|problem| FieldError::new(problem.path, problem.message).at(problem.position));
        let least = self.least.clone();
        Fit { problems: told.collect(), omitted, rest, least, written: value, marks, wrong }
    }
}

impl Fit {
    /// What could be read of the value. The schema lets nearly nothing through that the type
    /// refuses; what it does is noted, too.
    pub fn read<T: DeserializeOwned + Default>(&mut self) -> Option<T> {
        let Some(Value::Object(mut map)) = self.rest.take() else { return None };
        if let Ok(read) = T::deserialize(&Value::Object(map.clone())) {
            return Some(read);
        }
        map.retain(|key, value| {
            let mut alone = self.least.clone();
            alone.insert(key.clone(), value.clone());
            let error = T::deserialize(&Value::Object(alone)).err();
            if let Some(error) = &error {
                let problem = FieldError::new(key, error.to_string());
                self.problems.push(self.place(problem));
                self.wrong.insert(key.clone());
            }
            error.is_none()
        });
        let mut least = self.least.clone();
        least.extend(map);
        T::deserialize(&Value::Object(least)).ok()
    }

    /// The problem with its place.
    pub fn place(&self, problem: FieldError) -> FieldError {
        place(problem, &self.written, &self.marks)
    }

    /// Whether a field, or what holds it, was told as wrong already.
    pub fn knows(&self, field: &str) -> bool {
        let ends = field.match_indices(['.', '[']).map(|(end, _)| end).chain([field.len()]);
        ends.into_iter().any(|end| self.wrong.contains(&field[..end]))
    }
}

/// The problem with its place in what was written.
pub(in crate::catalog) fn place(problem: FieldError, written: &Value, marks: &Marks) -> FieldError {
    let position = marks.position(Part::Value, &pointer::resolve(written, &problem.field));
    problem.at(position)
}

/// What is written as nothing where a list or mapping is wanted is an empty one.
fn fill_empty(view: &View<'_>, value: &mut Value, _: &str) {
    let Value::Object(map) = value else { return };
    for (key, member) in map.iter_mut().filter(|(_, member)| member.is_null()) {
        let view = view.member(key, member);
        if view.takes("array") || view.takes("object") {
            *member = view.placeholder();
        }
    }
}

/// Removes a member. Where there must be something, the least that can be read takes its place:
/// the elements of a list keep their indices.
fn take_out(root: &Value, document: &mut Value, at: &str) {
    let Some((parent, key)) = at.rsplit_once('/') else { return };
    let key = key.replace("~1", "/").replace("~0", "~");
    let least = View::at(root, document, at).placeholder();
    let is_required = View::at(root, document, parent).requires(&key);
    match document.pointer_mut(parent) {
        Some(Value::Object(members)) if is_required => drop(members.insert(key, least)),
        Some(Value::Object(members)) => drop(members.swap_remove(&key)),
        Some(Value::Array(elements)) => {
            if let Some(element) = key.parse::<usize>().ok().and_then(|index| elements.get_mut(index)) {
                *element = least;
            }
        }
        _ => {}
    }
}
