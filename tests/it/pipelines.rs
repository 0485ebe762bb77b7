//! The scripts of the pipelines, taken from the very files that ship, run by bash against a local cloud.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Command;

use serde_json::Value;
use wsfix::local::{Cloud, Options};

use crate::support::Sandbox;
use crate::templates::filled;
use crate::tool::{Ended, Tool};

const TOOL: &str = env!("CARGO_BIN_EXE_wsfix");

fn yaml(text: &str) -> Value {
    serde_yaml::from_str(text).unwrap_or_else(|error| panic!("{error}\n{text}"))
}

fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// A script that can be run by its name.
fn program(path: &std::path::Path, script: &str) {
    std::fs::write(path, script).expect("a script");
    std::fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(0o755)).expect("its mode");
}

/// Where pipelines run: a folder with a config, a local cloud, and `wsfix` on the path.
struct Runner {
    tool: Tool,
    cloud: Cloud,
    path: String,
}

impl Runner {
    fn new() -> Self {
        let cloud = Cloud::start(Options::default()).expect("a cloud");
        let tool = Tool::of(&cloud);
        std::fs::create_dir(tool.directory.path().join("bin")).expect("a folder");
        // Whether a stack works has tests of its own, and takes a handler that runs: here `verify` says what it was asked, and the code that it is told.
        let script = format!(
            "#!/bin/sh\nif [ \"$1\" = verify ]; then echo \"$* of ${{WSFIX_STACK:-}}\" >>verified; exit \"${{VERIFIED:-0}}\"; fi\nexec {TOOL} \"$@\"\n"
        );
        program(&tool.directory.path().join("bin/wsfix"), &script);
        let path = format!("{}:/usr/bin:/bin", tool.directory.path().join("bin").display());
        Self { tool, cloud, path }
    }

    fn file(&self, name: &str) -> PathBuf {
        self.tool.directory.path().join(name)
    }

    /// As the runners of all three do: errors end it, also in a pipe.
    fn bash(&self, script: &str, variables: &BTreeMap<String, String>) -> Ended {
        self.tool.file("step.sh", script);
        let mut command = Command::new("bash");
        command.args(["--noprofile", "--norc", "-eo", "pipefail", "step.sh"]).current_dir(self.tool.directory.path());
        command.env_clear().envs(self.tool.variables()).env("PATH", &self.path).env("HOME", self.tool.directory.path()).envs(variables);
        Ended::of(command.output().expect("bash runs"))
    }

    /// The stacks of the account, as the tool lists them.
    fn stacks(&self) -> Vec<String> {
        let document = self.tool.run(&["stacks", "--output", "json"]).document();
        let list = document["result"]["stacks"].as_array().expect("a list").clone();
        list.iter().map(|stack| text(&stack["stack"])).collect()
    }
}

/// GitHub's composite action, as its runner reads it.
struct Action {
    runner: Runner,
    steps: Vec<Value>,
    defaults: BTreeMap<String, String>,
}

impl Action {
    fn new() -> Self {
        let action = yaml(&std::fs::read_to_string("action.yml").expect("the action"));
        let defaults = action["inputs"].as_object().expect("inputs").iter().map(|(name, input)| (name.clone(), text(&input["default"])));
        let defaults = defaults.map(|(name, value)| (name, if value == "null" { String::new() } else { value })).collect();
        Self { runner: Runner::new(), steps: action["runs"]["steps"].as_array().expect("steps").clone(), defaults }
    }

    /// Runs the steps that these inputs want, up to one that fails; answers how the last one ended, and what the steps said as outputs.
    fn run(&self, inputs: &[(&str, &str)]) -> (Ended, String) {
        let mut all = self.defaults.clone();
        all.extend(inputs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        for name in ["output", "summary"] {
            std::fs::write(self.runner.file(name), "").expect("a file");
        }
        let mut last = None;
        for step in self.steps.iter().filter(|step| step["run"].is_string()) {
            let wanted = step["if"].as_str().is_none_or(|condition| condition == format!("inputs.command == '{}'", all["command"]));
            if !wanted {
                continue;
            }
            let mut variables = BTreeMap::new();
            for (name, value) in step["env"].as_object().into_iter().flatten() {
                let input = text(value);
                let input = input.strip_prefix("${{ inputs.").and_then(|rest| rest.strip_suffix(" }}")).expect("an input and nothing else");
                variables.insert(name.clone(), all[input].clone());
            }
            for (name, file) in
                [("GITHUB_OUTPUT", "output"), ("GITHUB_STEP_SUMMARY", "summary"), ("RUNNER_TEMP", "."), ("GITHUB_ACTION_PATH", ".")]
            {
                variables.insert(name.to_owned(), self.runner.file(file).display().to_string());
            }
            let ended = self.runner.bash(step["run"].as_str().expect("a script"), &variables);
            let failed = ended.code != Some(0);
            last = Some(ended);
            if failed {
                break;
            }
        }
        (last.expect("a step"), std::fs::read_to_string(self.runner.file("output")).expect("outputs"))
    }

    fn summary(&self) -> String {
        std::fs::read_to_string(self.runner.file("summary")).expect("a summary")
    }
}

#[test]
fn github_s_action_plans_provisions_and_tears_down() {
    let mut action = Action::new();
    let (planned, outputs) = action.run(&[("command", "plan")]);
    planned.says(0, &[]);
    assert!(outputs.contains("changes=true\n"), "{outputs}");
    let summary = action.summary();
    assert!(summary.starts_with("<!-- wsfix plan terminal -->\n") && summary.contains("\n+ table WebSocketConnections\n"), "{summary}");

    let (made, outputs) = action.run(&[("command", "provision")]);
    made.says(0, &[]);
    let url = outputs.lines().find_map(|line| line.strip_prefix("websocket-url=")).expect("a URL");
    assert!(
        url.starts_with(&format!("ws://127.0.0.1:{}/_aws/execute-api/", action.runner.cloud.port())) && url.ends_with("/prod"),
        "{url}"
    );
    assert!(action.summary().contains(url), "{}", action.summary());
    let (planned, outputs) = action.run(&[("command", "plan")]);
    planned.says(0, &[]);
    assert!(outputs.contains("changes=false\n"), "{outputs}");

    // A stack for each pull request, beside the first one.
    for stack in ["pr-7", "pr-77"] {
        let (made, outputs) = action.run(&[("command", "provision"), ("stack", stack)]);
        made.says(0, &[]);
        assert!(outputs.contains("websocket-url=ws://") && !outputs.contains(url), "{outputs}");
    }
    assert_eq!(action.runner.stacks(), ["pr-7", "pr-77", "terminal"]);
    action.run(&[("command", "teardown"), ("stack", "pr-7")]).0.says(0, &["deleted   table WebSocketConnections-pr-7"]);
    assert_eq!(action.runner.stacks(), ["pr-77", "terminal"]);
    action.run(&[("command", "teardown"), ("stack", "pr-7")]).0.says(0, &[]);
    let (planned, outputs) = action.run(&[("command", "plan"), ("stack", "pr-77")]);
    assert_eq!((planned.code, outputs.contains("changes=false\n")), (Some(0), true), "{}\n{outputs}", planned.err);
    action.run(&[("command", "teardown")]).0.says(0, &[]);
    assert_eq!(action.runner.stacks(), ["pr-77"]);
    let verified = std::fs::read_to_string(action.runner.file("verified")).expect("it was asked");
    assert_eq!(verified, "verify of \nverify of pr-7\nverify of pr-77\n");
    action.runner.tool.set("VERIFIED", "3");
    assert_eq!(action.run(&[("command", "provision"), ("stack", "pr-77")]).0.code, Some(3), "a failed check fails the run");
}

#[test]
fn github_s_action_fails_where_wsfix_does_and_runs_nothing_that_it_is_given() {
    let action = Action::new();
    assert_eq!(action.run(&[("command", "destroy")]).0.code, Some(2));
    let hostile = "pr-1\"; touch pwned; $(touch pwned) `touch pwned`";
    for command in ["plan", "provision", "teardown"] {
        let (ended, _) = action.run(&[("command", command), ("stack", hostile)]);
        assert_eq!(ended.code, Some(2), "{}", ended.err);
        assert!(!action.runner.file("pwned").exists());
    }
    action.run(&[("command", "plan"), ("stack", hostile)]);
    assert!(action.summary().contains("`wsfix plan` failed"), "{}", action.summary());
    assert_eq!(action.runner.stacks(), Vec::<String>::new());
}

#[test]
fn wsfix_is_installed_where_it_is_not_there() {
    let mut action = Action::new();
    let bin = action.runner.file("fake");
    std::fs::create_dir(&bin).expect("a folder");
    program(&bin.join("cargo"), "#!/bin/sh\necho \"cargo $*\"\n");
    action.runner.path = format!("{}:/usr/bin:/bin", bin.display());
    let install = action.steps.iter().position(|step| step["name"] == "Install wsfix").expect("the step");
    action.steps.truncate(install + 1);
    let (ended, _) = action.run(&[("command", "plan")]);
    assert_eq!(ended.out, "cargo install --locked --version 0.1.0 wsfix\n");
    action.runner.tool.file("Cargo.toml", "");
    let (ended, _) = action.run(&[("command", "plan")]);
    assert_eq!(ended.out, format!("cargo install --locked --path {}/.\n", action.runner.tool.directory.path().display()));
}

/// The lines of a job, as GitLab puts them together.
fn script(job: &Value, base: &Value) -> String {
    let lines = |list: &Value| list.as_array().expect("a list").iter().map(text).collect::<Vec<_>>();
    [lines(&base["before_script"]), lines(&job["script"])].concat().join("\n")
}

#[test]
fn gitlab_s_jobs_run() {
    let runner = Runner::new();
    let sandbox = Sandbox::new();
    let pipeline = yaml(&filled("gitlab-ci", &sandbox.config).files[0].text);
    let base = &pipeline[".wsfix"];
    let job = |name: &str| {
        let job = &pipeline[name];
        assert_eq!(job["extends"], ".wsfix", "{name}");
        let mut variables = BTreeMap::from([("CI_PROJECT_DIR".to_owned(), runner.file(".").display().to_string())]);
        variables.insert("CARGO_INSTALL_ROOT".to_owned(), runner.file(".wsfix").display().to_string());
        for list in [&base["variables"], &job["variables"]] {
            for name in ["WSFIX_STACK", "WSFIX_VERSION"] {
                let value = list.get(name).map(|value| text(value).replace("$CI_MERGE_REQUEST_IID", "12"));
                variables.extend(value.map(|value| (name.to_owned(), value)));
            }
        }
        runner.bash(&script(job, base), &variables)
    };
    let planned = job("wsfix plan");
    planned.says(0, &[]);
    assert!(planned.out.contains("+ table WebSocketConnections") && runner.file("wsfix-plan.md").exists(), "{}", planned.out);
    job("wsfix provision").says(0, &[]);
    job("wsfix preview").says(0, &[]);
    assert_eq!(std::fs::read_to_string(runner.file("verified")).expect("it was asked"), "verify of terminal\nverify of mr-12\n");
    assert_eq!(runner.stacks(), ["mr-12", "terminal"]);
    job("wsfix teardown").says(0, &[]);
    assert_eq!(runner.stacks(), ["terminal"]);
    assert!(!job("wsfix plan").out.contains("+ table"));
}

#[test]
fn codebuild_s_phases_run() {
    let runner = Runner::new();
    let sandbox = Sandbox::new();
    let buildspec = yaml(&filled("codebuild", &sandbox.config).files[0].text);
    let commands = |phase: &str| buildspec["phases"][phase]["commands"].as_array().expect("commands").iter().map(text).collect::<Vec<_>>();
    let script = [commands("install"), commands("build")].concat().join("\n");
    let build = |event: &str, trigger: &str, previews: &str| {
        let variables = buildspec["env"]["variables"].as_object().expect("variables").iter();
        let mut variables: BTreeMap<String, String> = variables.map(|(name, value)| (name.clone(), text(value))).collect();
        for (name, value) in [("CODEBUILD_WEBHOOK_EVENT", event), ("CODEBUILD_WEBHOOK_TRIGGER", trigger), ("WSFIX_PREVIEWS", previews)] {
            variables.insert(name.to_owned(), value.to_owned());
        }
        runner.bash(&script, &variables)
    };
    let planned = build("PULL_REQUEST_CREATED", "pr/5", "false");
    planned.says(0, &[]);
    assert!(planned.out.contains("+ table WebSocketConnections") && runner.stacks().is_empty(), "{}", planned.out);
    build("PUSH", "branch/main", "true").says(0, &[]);
    build("PULL_REQUEST_UPDATED", "pr/5", "true").says(0, &[]);
    assert_eq!(runner.stacks(), ["pr-5", "terminal"]);
    let verified = std::fs::read_to_string(runner.file("verified")).expect("it was asked");
    assert_eq!(verified, "verify of terminal\nverify --stack pr-5 of terminal\n");
    assert_ne!(build("PULL_REQUEST_MERGED", "branch/$(touch pwned)", "true").code, Some(0));
    assert!(!runner.file("pwned").exists());
    build("PULL_REQUEST_MERGED", "pr/5", "true").says(0, &[]);
    assert_eq!(runner.stacks(), ["terminal"]);
}

/// Nothing that a stranger can choose is pasted into a script, every action has a version, and every job says what it may.
#[test]
fn workflows_take_no_text_for_code() {
    let sandbox = Sandbox::new();
    let files = filled("github-actions", &sandbox.config).files;
    let [workflow, action] = files.as_slice() else { panic!("{files:#?}") };
    assert_eq!(action.text, std::fs::read_to_string("action.yml").expect("the action"));
    let workflow = yaml(&workflow.text);
    assert_eq!(workflow["permissions"], serde_json::json!({}));
    assert!(workflow["on"].get("pull_request_target").is_none());
    let jobs = workflow["jobs"].as_object().expect("jobs");
    assert_eq!(jobs.keys().collect::<Vec<_>>(), ["plan", "preview", "provision", "teardown"]);
    let allowed = [
        "env.AWS_REGION",
        "env.STACK",
        "github.event.number",
        "secrets.JWT_SECRET",
        "secrets.WSFIX_SIGNING_KEY",
        "vars.WSFIX_DEPLOYER_ROLE",
    ];
    for (name, job) in jobs {
        assert_eq!(job["permissions"], serde_json::json!({ "contents": "read", "id-token": "write" }), "{name}");
        let forks = text(&job["if"]);
        assert!(name == "provision" || forks.contains("head.repo.full_name == github.repository"), "{name}: {forks}");
        let steps = job["steps"].to_string();
        for expression in steps.split("${{ ").skip(1).filter_map(|rest| rest.split(" }}").next()) {
            assert!(allowed.contains(&expression), "{name}: {expression}");
        }
    }
    let action = yaml(&action.text);
    let steps =
        jobs.values().flat_map(|job| job["steps"].as_array().expect("steps")).chain(action["runs"]["steps"].as_array().expect("steps"));
    for step in steps {
        assert!(!step["run"].as_str().unwrap_or_default().contains("${{"), "{step}");
        if let Some(uses) = step["uses"].as_str().filter(|uses| !uses.starts_with("./")) {
            let version = uses.split_once("@v").map_or("", |(_, version)| version);
            assert_eq!(version.split('.').filter(|part| part.parse::<u32>().is_ok()).count(), 3, "{uses}");
        }
    }
}
