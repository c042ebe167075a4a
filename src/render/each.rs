//! `{{#each}}`: the engine's own, but every turn is paid for from the budget, so that
//! nested loops over long lists end.

use handlebars::template::TemplateElement;
use handlebars::{
    BlockContext, BlockParams, Context, Handlebars, Helper, HelperDef, HelperResult, JsonValue, Output,
    PathAndJson, RenderContext, RenderError, RenderErrorReason, Renderable, Template,
};

use super::budget::spend;

/// The loop over a list or over the pairs of a map; `{{else}}` when there is nothing.
pub(super) struct Each;

impl HelperDef for Each {
    fn call<'reg: 'rc, 'rc>(
        &self,
        helper: &Helper<'rc>,
        registry: &'reg Handlebars<'reg>,
        context: &'rc Context,
        render: &mut RenderContext<'reg, 'rc>,
        out: &mut dyn Output,
    ) -> HelperResult {
        let items = helper.param(0).ok_or(RenderErrorReason::ParamNotFoundForIndex("each", 0))?;
        if items.is_value_missing() && registry.strict_mode() {
            return Err(RenderError::strict_error(items.relative_path()));
        }
        let turns = turns(items.value())?;
        let (Some(body), false) = (helper.template(), turns.is_empty()) else {
            return helper.inverse().map_or(Ok(()), |inverse| inverse.render(registry, context, render, out));
        };
        spend(turns.len().saturating_mul(1 + weight(body)))?;

        render.push_block(BlockContext::new());
        let result = turns.iter().enumerate().try_for_each(|(index, turn)| {
            spend(0)?;
            let place = Place { index, is_last: index + 1 == turns.len() };
            if let Some(block) = render.block_mut() {
                enter(block, helper, items, turn, place)?;
            }
            Template::render(body, registry, context, render, out)
        });
        render.pop_block();
        result
    }
}

/// One turn of the loop: the key when it goes over a map, and the value.
struct Turn<'a> {
    key: Option<&'a str>,
    value: &'a JsonValue,
}

#[derive(Clone, Copy)]
struct Place {
    index: usize,
    is_last: bool,
}

fn turns(items: &JsonValue) -> Result<Vec<Turn<'_>>, RenderError> {
    match items {
        JsonValue::Array(list) => Ok(list.iter().map(|value| Turn { key: None, value }).collect()),
        JsonValue::Object(map) => Ok(map.iter().map(|(key, value)| Turn { key: Some(key), value }).collect()),
        JsonValue::Null => Ok(Vec::new()),
        _ => Err(RenderErrorReason::Other("each: argument 1 must be a list or a map".to_owned()).into()),
    }
}

fn enter<'rc>(
    block: &mut BlockContext<'rc>,
    helper: &Helper<'rc>,
    items: &PathAndJson<'rc>,
    turn: &Turn<'_>,
    place: Place,
) -> Result<(), RenderError> {
    block.set_local_var("first", (place.index == 0).into());
    block.set_local_var("last", place.is_last.into());
    block.set_local_var("index", place.index.into());
    let key = turn.key.map_or_else(|| place.index.into(), JsonValue::from);
    if turn.key.is_some() {
        block.set_local_var("key", key.clone());
    }
    let is_context_value = match items.context_path() {
        Some(path) => {
            let mut path = path.clone();
            path.push(turn.key.map_or_else(|| place.index.to_string(), str::to_owned));
            *block.base_path_mut() = path;
            true
        }
        None => {
            block.set_base_value(turn.value.clone());
            false
        }
    };
    name_parts(block, helper, turn, key, is_context_value)
}

/// `as |item|` and `as |item key|`.
fn name_parts<'rc>(
    block: &mut BlockContext<'rc>,
    helper: &Helper<'rc>,
    turn: &Turn<'_>,
    key: JsonValue,
    is_context_value: bool,
) -> Result<(), RenderError> {
    let (item, key_name) = match (helper.block_param(), helper.block_param_pair()) {
        (Some(item), _) => (item, None),
        (None, Some((item, key))) => (item, Some(key)),
        (None, None) => return Ok(()),
    };
    let mut names = BlockParams::new();
    if is_context_value {
        names.add_path(item, Vec::new())?;
    } else {
        names.add_value(item, turn.value.clone())?;
    }
    if let Some(key_name) = key_name {
        names.add_value(key_name, key)?;
    }
    block.set_block_params(names);
    Ok(())
}

/// How many elements a template has, those inside its blocks included.
fn weight(template: &Template) -> usize {
    template.elements.iter().map(element_weight).sum()
}

fn element_weight(element: &TemplateElement) -> usize {
    match element {
        TemplateElement::HelperBlock(helper) => {
            1 + helper.template.as_ref().map_or(0, weight) + helper.inverse.as_ref().map_or(0, weight)
        }
        _ => 1,
    }
}
