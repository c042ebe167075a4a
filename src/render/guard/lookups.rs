//! Paths that the strict engine refuses although they are meant to be written: names below
//! maps that come and go with the alert, and the length of a list. They become calls of the
//! helpers that mean the same.

use std::collections::HashMap;

use handlebars::template::{HelperTemplate, Parameter, Subexpression, TemplateElement};
use handlebars::{JsonValue, Path, PathSeg, Template};

use crate::render::helpers::is_known;

/// Maps whose names are the senders' own.
const OPEN: [&str; 3] = ["labels", "annotations", "tags"];

/// `{{labels.x}}` becomes `{{lookup labels "x"}}`, which is empty when there is no such label;
/// `{{alerts.length}}` becomes `{{len alerts}}`.
pub(in crate::render) fn lookups(template: &mut Template) {
    for element in &mut template.elements {
        match element {
            TemplateElement::Expression(expression) | TemplateElement::HtmlExpression(expression) => {
                of_expression(expression);
            }
            TemplateElement::HelperBlock(block) => {
                of_call(block);
                // Where a map has no such name, strict mode would take the missing `else` for a fault.
                if block.name.as_name() == Some("with") && block.inverse.is_none() {
                    block.inverse = Some(Template::new());
                }
                block.template.as_mut().map(lookups);
                block.inverse.as_mut().map(lookups);
            }
            _ => {}
        }
    }
}

fn of_expression(expression: &mut HelperTemplate) {
    let is_call = !expression.params.is_empty()
        || !expression.hash.is_empty()
        || expression.name.as_name().is_some_and(is_known);
    if is_call {
        return of_call(expression);
    }
    if let Some((helper, arguments)) = meant(&expression.name) {
        expression.name = Parameter::Name(helper.to_owned());
        expression.params = arguments;
    }
}

fn of_call(call: &mut HelperTemplate) {
    call.params.iter_mut().chain(call.hash.values_mut()).for_each(of_parameter);
}

fn of_parameter(parameter: &mut Parameter) {
    if let Parameter::Subexpression(sub) = parameter {
        // What stands in parentheses cannot be changed in place.
        if let TemplateElement::Expression(call) = sub.as_element() {
            let mut call = call.clone();
            of_call(&mut call);
            *sub = Subexpression::new(call.name, call.params, call.hash);
        }
        return;
    }
    if let Some((helper, arguments)) = meant(parameter) {
        let name = Parameter::Name(helper.to_owned());
        *parameter = Parameter::Subexpression(Subexpression::new(name, arguments, HashMap::new()));
    }
}

/// The helper that a path stands for, and its arguments.
fn meant(path: &Parameter) -> Option<(&'static str, Vec<Parameter>)> {
    let Parameter::Path(Path::Relative((segments, raw))) = path else { return None };
    let (PathSeg::Named(last), before) = segments.split_last()? else { return None };
    let PathSeg::Named(owner) = before.last()? else { return None };
    let raw = raw.rfind(last.as_str()).map_or("", |at| raw[..at].trim_end_matches(['.', '/', '[']));
    let owner_path = Parameter::Path(Path::Relative((before.to_vec(), raw.to_owned())));
    if OPEN.contains(&owner.as_str()) {
        return Some(("lookup", vec![owner_path, Parameter::Literal(JsonValue::from(last.as_str()))]));
    }
    (last == "length").then(|| ("len", vec![owner_path]))
}
