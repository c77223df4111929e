//! Each path of the API reaches the function that serves it.

use std::collections::BTreeMap;

use serde_json::json;

use crate::document::{Template, suffix, target};

const ROUTES: [(&str, &str); 13] = [
    ("ANY /api/v1/webhooks/{proxy+}", "webhooks"),
    ("ANY /api/v1/image-policies", "policies"),
    ("ANY /api/v1/image-policies/{proxy+}", "policies"),
    ("ANY /api/v1/device/{proxy+}", "device-state"),
    ("ANY /api/v1/devices", "device-state"),
    ("ANY /api/v1/devices/{proxy+}", "device-state"),
    ("ANY /api/v1/rollouts", "rollouts"),
    ("ANY /api/v1/rollouts/{proxy+}", "rollouts"),
    ("ANY /api/v1/images/{proxy+}", "rollouts"),
    ("ANY /api/v1/deliveries/{proxy+}", "rollouts"),
    ("ANY /api/v1/health", "public"),
    ("ANY /api/v1/openapi.json", "public"),
    ("$default", "public"),
];

#[test]
fn every_path_has_its_function() {
    let template = Template::read();
    let mut routes = BTreeMap::new();
    for (_, route) in template.of_type("AWS::ApiGatewayV2::Route") {
        let integration = route["Target"]["Fn::Sub"].as_str().expect("a target").trim_start_matches("integrations/");
        let integration = template.properties(integration.trim_start_matches("${").trim_end_matches('}'));
        assert_eq!(integration["PayloadFormatVersion"], "2.0");
        let function = template.properties(target(&integration["IntegrationUri"]));
        routes.insert(route["RouteKey"].as_str().expect("a key"), suffix(&function["FunctionName"]));
    }
    assert_eq!(routes, BTreeMap::from(ROUTES));
}

#[test]
fn the_api_may_call_each_of_them_and_is_throttled() {
    let template = Template::read();
    let mut allowed: Vec<&str> = template
        .of_type("AWS::Lambda::Permission")
        .map(|(_, permission)| {
            let from = permission["SourceArn"]["Fn::Sub"].as_str().expect("only from one API");
            assert!(from.ends_with(":${Api}/${StageName}/*"), "{from}");
            assert_eq!(permission["Principal"], "apigateway.amazonaws.com");
            suffix(&template.properties(target(&permission["FunctionName"]))["FunctionName"])
        })
        .collect();
    allowed.sort_unstable();
    assert_eq!(allowed, ["device-state", "policies", "public", "rollouts", "webhooks"]);
    let settings = &template.properties("ApiStage")["DefaultRouteSettings"];
    assert!(!settings["ThrottlingRateLimit"].is_null() && !settings["ThrottlingBurstLimit"].is_null());
}

#[test]
fn a_name_of_ones_own_leads_to_the_stage() {
    let template = Template::read();
    for name in ["ApiDomain", "ApiDomainMapping"] {
        assert_eq!(template.section("Resources")[name]["Condition"], "HasDomain", "{name}");
    }
    let domain = template.properties("ApiDomain");
    assert_eq!(domain["DomainName"], json!({"Ref": "DomainName"}));
    assert_eq!(domain["DomainNameConfigurations"][0]["CertificateArn"], json!({"Ref": "CertificateArn"}));
    let mapping = template.properties("ApiDomainMapping");
    assert_eq!(target(&mapping["Stage"]), "ApiStage");
    assert!(mapping["ApiMappingKey"].is_null(), "the contract's paths begin at the root");
    assert_eq!(template.section("Resources")["ApiDomainRecord"]["Condition"], "HasHostedZone");
    let url = &template.section("Outputs")["ApiUrl"]["Value"]["Fn::If"];
    assert_eq!((&url[0], &url[1]["Fn::Sub"]), (&json!("HasDomain"), &json!("https://${DomainName}")));
    let rule = &template.section("Rules")["ADomainHasACertificate"]["Assertions"][0]["Assert"];
    assert_eq!(rule["Fn::Not"][0]["Fn::Equals"][0]["Ref"], "CertificateArn");
}
