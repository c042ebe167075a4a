use serde_json::json;

use super::*;

fn kinds() -> Vec<KindSchema> {
    let log = json!({"type": "object", "properties": {}});
    let slack = json!({
        "type": "object",
        "properties": {
            "webhook_url": {"anyOf": [{"$ref": "#/$defs/Secret"}, {"type": "null"}]},
            "channel": {"type": ["string", "null"]},
            "smtp": {"$ref": "#/$defs/Smtp"},
        },
        "$defs": {
            "Secret": {"type": "string", "writeOnly": true},
            "Smtp": {
                "type": "object",
                "properties": {
                    "port": {"type": "integer", "minimum": 0, "maximum": 65535},
                    "password": {"$ref": "#/$defs/Secret"},
                    "tls": {"oneOf": [{"const": "none", "type": "string"}, {"const": "starttls", "type": "string"}]},
                },
                "required": ["password"],
                "additionalProperties": false,
            },
        },
    });
    [("log", log), ("slack", slack)]
        .into_iter()
        .map(|(name, schema)| KindSchema { name: name.into(), title: name.into(), schema })
        .collect()
}

#[test]
fn an_empty_file_gives_the_defaults() {
    let loaded = parse("", Path::new(""), &|_| None, &kinds()).unwrap();

    assert_eq!(loaded.config.channels[0].name, "console");
    assert_eq!(loaded.config.route.channels, ["console"]);
}
