use lambda_http::Request;
use serde_json::json;
use sha2::{Digest, Sha256};
use shared::{
    edge::rest::{self, RestError},
    model::{ImageName, InvalidData, Members, MotionParams, Owner, WorkspaceId, hex},
    service::workspaces::generation::Idempotency,
};

const MAX_KEY_CHARS: usize = 255;

/// A request that is what the contract allows.
pub struct GenerateRequest {
    pub owner: Owner,
    pub workspace_id: WorkspaceId,
    pub image: ImageName,
    pub params: MotionParams,
    pub idempotency: Option<Idempotency>,
    /// What the logs of the request go by.
    pub correlation_id: Option<String>,
}

impl GenerateRequest {
    pub fn parse(request: &Request, owner: Owner) -> Result<Self, RestError> {
        let body = rest::json_body(request)?;
        let members = Members::of(&body, "body")?;
        let id = members.str("workspace_id")?;
        let image = parse_image_url(members.str("image_url")?)?;
        let params = match members.optional_members("params")? {
            Some(params) => MotionParams::parse(params)?,
            None => MotionParams::default(),
        };
        let key = request.headers().get("idempotency-key");
        let key = key.map(|key| key.to_str().unwrap_or_default()).map(check_key).transpose()?;
        let workspace_id = id.parse().map_err(|_| RestError::workspace_not_found())?;
        let idempotency = key.map(|key| Idempotency {
            key: hex_digest(key),
            request: hex_digest(&json!([image, params]).to_string()),
        });
        let correlation_id = rest::gateway_id(request);
        Ok(Self { owner, workspace_id, image, params, idempotency, correlation_id })
    }
}

/// Only this API's own pictures: never an address that somebody else chose.
fn parse_image_url(url: &str) -> Result<ImageName, InvalidData> {
    ImageName::from_image_url(url)
        .map_err(|_| InvalidData::new("image_url", "image_url 必须是上传接口返回的地址"))
}

fn check_key(key: &str) -> Result<&str, InvalidData> {
    if (1..=MAX_KEY_CHARS).contains(&key.chars().count()) {
        return Ok(key);
    }
    Err(InvalidData::new("Idempotency-Key", format!("Idempotency-Key 必须是 1 到 {MAX_KEY_CHARS} 个字符")))
}

fn hex_digest(text: &str) -> String {
    hex(&Sha256::digest(text))
}

#[cfg(test)]
mod tests {
    use lambda_http::{Body, http};
    use serde_json::Value;

    use super::*;

    const ID: &str = "00ff10a2b3c4d5e6f7081920";
    const IMAGE: &str = "/api/uploads/0123456789abcdef.jpg";

    fn parse(body: &Value, key: Option<&str>) -> Result<GenerateRequest, RestError> {
        let mut request = http::Request::builder();
        if let Some(key) = key {
            request = request.header("idempotency-key", key);
        }
        GenerateRequest::parse(&request.body(Body::from(body.to_string())).unwrap(), Owner::default())
    }

    fn fault(body: &Value, key: Option<&str>) -> String {
        match parse(body, key) {
            Ok(_) => String::new(),
            Err(error) => format!("{error:?}"),
        }
    }

    #[test]
    fn what_is_missing_is_not_there_and_what_is_wrong_is_named() {
        let parsed =
            parse(&json!({"workspace_id": ID, "image_url": IMAGE}), None).unwrap_or_else(|e| panic!("{e:?}"));
        assert_eq!(parsed.params, MotionParams::default());
        assert_eq!(parsed.idempotency, None);
        for (body, field) in [
            (json!([]), "body"),
            (json!({"image_url": IMAGE}), "workspace_id"),
            (json!({"workspace_id": ID}), "image_url"),
            (json!({"workspace_id": ID, "image_url": "https://x.example/a.jpg"}), "image_url"),
            (json!({"workspace_id": ID, "image_url": IMAGE, "params": []}), "params"),
            (json!({"workspace_id": ID, "image_url": IMAGE, "params": {"lighting": 1}}), "lighting"),
            (json!({"workspace_id": "xxx", "image_url": "x"}), "image_url"),
        ] {
            assert!(fault(&body, None).contains(&format!("\"{field}\"")), "{body}: {}", fault(&body, None));
        }
        assert!(
            fault(&json!({"workspace_id": "xxx", "image_url": IMAGE}), None).contains("WORKSPACE_NOT_FOUND")
        );
    }

    #[test]
    fn a_key_has_1_to_255_characters() {
        let body = json!({"workspace_id": ID, "image_url": IMAGE});
        assert!(fault(&body, Some("")).contains("Idempotency-Key"));
        assert!(fault(&body, Some(&"k".repeat(256))).contains("Idempotency-Key"));
        assert_eq!(fault(&body, Some(&"k".repeat(255))), "");
    }

    #[test]
    fn another_body_is_another_request() {
        let request = |prompt: &str| {
            let body = json!({"workspace_id": ID, "image_url": IMAGE, "params": {"motion_prompt": prompt}});
            parse(&body, Some("k")).unwrap_or_else(|e| panic!("{e:?}")).idempotency.unwrap()
        };
        assert_eq!(request("a"), request("a"));
        assert_eq!(request("a").key, request("b").key);
        assert_ne!(request("a").request, request("b").request);
    }
}
