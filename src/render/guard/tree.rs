//! The check of a parsed template.

use handlebars::template::{BlockParam, HelperTemplate, Parameter, TemplateElement};
use handlebars::{JsonValue, Path, PathSeg, Template};

use super::{MAX_DEPTH, RawOutput, Rules, TemplateFault};
use crate::render::helpers::is_known;

/// Helpers that change what a bare name means inside their block.
const SCOPING: [&str; 2] = ["each", "with"];

fn literal_depth(value: &JsonValue) -> usize {
    match value {
        JsonValue::Array(items) => 1 + items.iter().map(literal_depth).max().unwrap_or(0),
        JsonValue::Object(map) => 1 + map.values().map(literal_depth).max().unwrap_or(0),
        _ => 0,
    }
}

/// Checks every element.
pub(super) fn check(template: &Template, rules: &Rules<'_>) -> Result<(), TemplateFault> {
    Walk { rules, line: None, depth: 0, scopes: 0 }.template(template)
}

struct Walk<'a> {
    rules: &'a Rules<'a>,
    line: Option<usize>,
    depth: usize,
    scopes: usize,
}

impl Walk<'_> {
    fn template(&mut self, template: &Template) -> Result<(), TemplateFault> {
        self.deeper(|walk| {
            for (index, element) in template.elements.iter().enumerate() {
                walk.line = template.mapping.get(index).map(|mapping| mapping.0);
                walk.element(element)?;
            }
            Ok(())
        })
    }

    fn element(&mut self, element: &TemplateElement) -> Result<(), TemplateFault> {
        match element {
            TemplateElement::RawString(_) | TemplateElement::Comment(_) => Ok(()),
            TemplateElement::Expression(expression) => self.expression(expression),
            TemplateElement::HtmlExpression(_) if self.rules.raw == RawOutput::Refused => {
                self.fault("{{{…}}} and {{&…}} would let text of alerts through unescaped: write {{…}}")
            }
            TemplateElement::HtmlExpression(expression) => self.expression(expression),
            TemplateElement::HelperBlock(block) => self.block(block),
            _ => self
                .fault("partials, {{>…}} and {{#>…}}, and decorators, {{*…}} and {{#*…}}, are not available"),
        }
    }

    fn block(&mut self, block: &HelperTemplate) -> Result<(), TemplateFault> {
        self.call(block)?;
        let scopes = usize::from(block.name.as_name().is_some_and(|name| SCOPING.contains(&name)))
            + usize::from(matches!(block.block_param, Some(BlockParam::Single(_) | BlockParam::Pair(_))));
        self.scopes += scopes;
        if let Some(body) = &block.template {
            self.template(body)?;
        }
        self.scopes -= scopes;
        block.inverse.as_ref().map_or(Ok(()), |inverse| self.template(inverse))
    }

    /// `{{name}}` is a helper without arguments or a value; with arguments it is a helper.
    fn expression(&mut self, expression: &HelperTemplate) -> Result<(), TemplateFault> {
        let has_arguments = !expression.params.is_empty() || !expression.hash.is_empty();
        let is_helper = expression.name.as_name().is_some_and(is_known);
        if has_arguments || is_helper {
            return self.call(expression);
        }
        self.parameter(&expression.name)
    }

    fn call(&mut self, call: &HelperTemplate) -> Result<(), TemplateFault> {
        let Some(name) = call.name.as_name() else {
            return self.fault("a helper's name cannot be computed: write {{helper argument}}");
        };
        if !is_known(name) {
            return self.fault(format!("there is no helper {name:?}"));
        }
        call.params.iter().chain(call.hash.values()).try_for_each(|parameter| self.parameter(parameter))
    }

    fn parameter(&mut self, parameter: &Parameter) -> Result<(), TemplateFault> {
        match parameter {
            Parameter::Literal(value) if literal_depth(value) > MAX_DEPTH => self.too_deep(),
            Parameter::Name(name) => self.root(name),
            Parameter::Path(Path::Local(_)) => Ok(()),
            Parameter::Path(Path::Relative((segments, _))) => match segments.first() {
                Some(PathSeg::Named(name)) => self.root(name),
                _ => Ok(()),
            },
            Parameter::Subexpression(sub) => match sub.as_element() {
                TemplateElement::Expression(call) => self.deeper(|walk| walk.call(call)),
                _ => self.fault("this cannot stand in parentheses"),
            },
            _ => Ok(()),
        }
    }

    fn root(&self, name: &str) -> Result<(), TemplateFault> {
        let is_known = self.rules.roots.is_none_or(|roots| roots.contains(name));
        if is_known || self.scopes > 0 || name == "this" {
            return Ok(());
        }
        self.fault(format!("there is no variable {name:?}"))
    }

    fn deeper(
        &mut self,
        check: impl FnOnce(&mut Self) -> Result<(), TemplateFault>,
    ) -> Result<(), TemplateFault> {
        if self.depth > MAX_DEPTH {
            return self.too_deep();
        }
        self.depth += 1;
        let result = check(self);
        self.depth -= 1;
        result
    }

    fn too_deep(&self) -> Result<(), TemplateFault> {
        self.fault(format!("nested deeper than {MAX_DEPTH} levels"))
    }

    fn fault(&self, message: impl Into<String>) -> Result<(), TemplateFault> {
        Err(TemplateFault::new(self.line, message))
    }
}
