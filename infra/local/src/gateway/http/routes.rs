//! Which route a request belongs to: the most specific one.
//! <https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-routes.html#http-api-develop-routes.evaluation>

use std::collections::BTreeMap;

use anyhow::{Result, ensure};
use axum::http::Method;
use percent_encoding::percent_decode_str;

use crate::template::HttpRoute;

/// All routes, the most specific first.
pub struct Routes(Vec<Route>);

struct Route {
    /// `None` is any.
    method: Option<String>,
    path: String,
    segments: Vec<Segment>,
    function: String,
}

/// Ordered from specific to general.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Segment {
    Literal(String),
    Parameter(String),
    /// `{name+}`: the rest of the path.
    Greedy(String),
}

/// The route that a request took.
#[derive(Debug, PartialEq, Eq)]
pub struct Match<'a> {
    /// Such as `GET /api/uploads/{filename}`.
    pub route_key: String,
    /// Logical id of the function.
    pub function: &'a str,
    /// Decoded.
    pub path_parameters: BTreeMap<String, String>,
}

impl Routes {
    pub fn new(routes: &[HttpRoute]) -> Result<Self> {
        let mut parsed: Vec<Route> = routes.iter().map(Route::parse).collect::<Result<_>>()?;
        parsed.sort_by(|a, b| rank(a).cmp(&rank(b)));
        for pair in parsed.windows(2) {
            let is_same = pair[0].method == pair[1].method && pair[0].path == pair[1].path;
            ensure!(!is_same, "the route {} {} exists twice", pair[0].method_name(), pair[0].path);
        }
        Ok(Self(parsed))
    }

    pub fn find(&self, method: &Method, path: &str) -> Option<Match<'_>> {
        let segments: Vec<String> = split(path).map(decode).collect();
        self.0.iter().find_map(|route| {
            if route.method.as_deref().is_some_and(|wanted| wanted != method.as_str()) {
                return None;
            }
            let path_parameters = route.matches(&segments)?;
            let route_key = format!("{} {}", route.method_name(), route.path);
            Some(Match { route_key, function: &route.function, path_parameters })
        })
    }
}

/// A full path beats parameters, those beat a greedy one; then a method beats `ANY`.
fn rank(route: &Route) -> (&[Segment], bool, &str) {
    (&route.segments, route.method.is_none(), route.method_name())
}

impl Route {
    fn parse(route: &HttpRoute) -> Result<Self> {
        ensure!(route.path.starts_with('/'), "the route {} {} must begin with /", route.method, route.path);
        let segments: Vec<Segment> = split(&route.path).map(Segment::parse).collect();
        let greedy = segments.iter().position(|segment| matches!(segment, Segment::Greedy(_)));
        ensure!(
            greedy.is_none_or(|at| at + 1 == segments.len()),
            "in {} only the last part may be greedy",
            route.path
        );
        let method = (route.method != "ANY").then(|| route.method.clone());
        Ok(Self { method, path: route.path.clone(), segments, function: route.function.clone() })
    }

    fn method_name(&self) -> &str {
        self.method.as_deref().unwrap_or("ANY")
    }

    fn matches(&self, path: &[String]) -> Option<BTreeMap<String, String>> {
        let mut parameters = BTreeMap::new();
        let mut rest = path;
        for segment in &self.segments {
            let (first, after) = rest.split_first()?;
            match segment {
                Segment::Literal(text) if text == first => {}
                Segment::Literal(_) => return None,
                Segment::Parameter(_) if first.is_empty() => return None,
                Segment::Parameter(name) => drop(parameters.insert(name.clone(), first.clone())),
                Segment::Greedy(name) => {
                    parameters.insert(name.clone(), rest.join("/"));
                    return Some(parameters);
                }
            }
            rest = after;
        }
        rest.is_empty().then_some(parameters)
    }
}

impl Segment {
    fn parse(text: &str) -> Self {
        match text.strip_prefix('{').and_then(|text| text.strip_suffix('}')) {
            Some(name) => match name.strip_suffix('+') {
                Some(name) => Self::Greedy(name.to_owned()),
                None => Self::Parameter(name.to_owned()),
            },
            None => Self::Literal(text.to_owned()),
        }
    }
}

fn split(path: &str) -> impl Iterator<Item = &str> {
    path.strip_prefix('/').unwrap_or(path).split('/')
}

fn decode(segment: &str) -> String {
    percent_decode_str(segment).decode_utf8_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn routes() -> Routes {
        let all = [
            ("ANY", "/{proxy+}", "all"),
            ("GET", "/api/uploads/{filename}", "get"),
            ("GET", "/api/uploads/none", "none"),
            ("POST", "/api/upload/image", "post"),
        ];
        let all = all.map(|(method, path, function)| HttpRoute {
            method: method.to_owned(),
            path: path.to_owned(),
            function: function.to_owned(),
        });
        Routes::new(&all[1..]).unwrap();
        Routes::new(&all).unwrap()
    }

    #[test]
    fn the_most_specific_route_wins() {
        let routes = routes();
        let find = |method, path| routes.find(&method, path).map(|found| found.function.to_owned());
        assert_eq!(find(Method::GET, "/api/uploads/none").unwrap(), "none");
        assert_eq!(find(Method::GET, "/api/uploads/a.png").unwrap(), "get");
        assert_eq!(find(Method::GET, "/api/uploads/a/b").unwrap(), "all");
        assert_eq!(find(Method::HEAD, "/api/uploads/a").unwrap(), "all");
    }

    #[test]
    fn parameters_are_decoded_after_the_path_was_split() {
        let routes = routes();
        let found = routes.find(&Method::GET, "/api/uploads/a%2Fb%20%E4%B8%AD.png").unwrap();
        assert_eq!(found.path_parameters["filename"], "a/b 中.png");
        assert_eq!(found.route_key, "GET /api/uploads/{filename}");
    }

    #[test]
    fn nothing_else_matches() {
        let only =
            [HttpRoute { method: "GET".into(), path: "/api/uploads/{f}".into(), function: "get".into() }];
        let routes = Routes::new(&only).unwrap();
        for (method, path) in [
            (Method::HEAD, "/api/uploads/a"),
            (Method::GET, "/api/uploads/"),
            (Method::GET, "/api/uploads"),
            (Method::GET, "/api/uploads/a/"),
            (Method::GET, "/"),
        ] {
            assert!(routes.find(&method, path).is_none(), "{method} {path}");
        }
        let twice = [only[0].clone(), only[0].clone()];
        assert!(Routes::new(&twice).is_err());
    }
}
