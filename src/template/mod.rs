//! Files to copy from, filled in from a config: the stack for other tools, policies, pipelines, backends. Writes no file itself.
//!
//! What is filled in, and what is copied as it is, lies in `templates/` at the top of the repository.

mod copied;
mod names;
mod pipelines;
mod policies;
mod stack;
#[cfg(test)]
mod tests;

use crate::config::Config;
use crate::provision::{self, Place};

/// One template.
#[derive(Clone, Copy, Debug)]
pub struct Template {
    /// As a person names it.
    pub name: &'static str,
    /// What it is for, in one line.
    pub about: &'static str,
    make: Make,
}

/// How its files come about.
#[derive(Clone, Copy, Debug)]
enum Make {
    Sam,
    CloudFormation,
    Terraform,
    ExecutionRolePolicy,
    TrustPolicy,
    DeployerPolicy,
    GithubActions,
    GitlabCi,
    CodeBuild,
    Copied(&'static [(&'static str, &'static str)]),
}

/// One file of a template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
    /// Below the folder that a person chooses.
    pub path: String,
    /// What is in it.
    pub text: String,
}

/// What a template is filled in with.
#[derive(Clone, Copy)]
pub struct Given<'a> {
    /// The stack.
    pub config: &'a Config,
    /// Twelve digits, where somebody said them.
    pub account: Option<&'a str>,
}

/// A template, filled in.
#[derive(Clone, Debug)]
pub struct Filled {
    /// The first one is what the template is about; at least one.
    pub files: Vec<File>,
    /// What stands in them for something that is not known, in whole sentences.
    pub placeholders: Vec<String>,
}

/// Every template, in the order of the documentation.
pub static TEMPLATES: &[Template] = &[
    Template { name: "sam", about: "the whole stack for AWS SAM and its application repository", make: Make::Sam },
    Template { name: "cloudformation", about: "the whole stack for CloudFormation", make: Make::CloudFormation },
    Template { name: "terraform", about: "the whole stack for Terraform", make: Make::Terraform },
    Template { name: "execution-role-policy", about: "what the function's role may do, the least", make: Make::ExecutionRolePolicy },
    Template { name: "trust-policy", about: "who may assume the function's role", make: Make::TrustPolicy },
    Template { name: "deployer-policy", about: "what who runs wsfix may do, the least", make: Make::DeployerPolicy },
    Template {
        name: "github-actions",
        about: "a workflow, with its action: plan, provision, a stack for each pull request",
        make: Make::GithubActions,
    },
    Template { name: "gitlab-ci", about: "the same for GitLab", make: Make::GitlabCi },
    Template { name: "codebuild", about: "the same for AWS CodeBuild", make: Make::CodeBuild },
    Template { name: "backend-express", about: "a backend with Express", make: Make::Copied(copied::EXPRESS) },
    Template { name: "backend-fastapi", about: "a backend with FastAPI", make: Make::Copied(copied::FASTAPI) },
    Template { name: "backend-axum", about: "a backend with axum", make: Make::Copied(copied::AXUM) },
    Template {
        name: "hook",
        about: "the browser's side: a socket that comes back, and a hook for React",
        make: Make::Copied(copied::HOOK),
    },
];

impl Template {
    /// The template of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<&'static Self> {
        TEMPLATES.iter().find(|template| template.name == name)
    }

    /// Fills it in.
    ///
    /// # Errors
    /// When the issuer whose keys the config pins gives none.
    pub async fn fill(&self, given: Given<'_>) -> Result<Filled, provision::Error> {
        Ok(match self.make {
            Make::Sam => stack::sam(given).await?,
            Make::CloudFormation => stack::cloudformation(given).await?,
            Make::Terraform => stack::terraform(given).await?,
            Make::ExecutionRolePolicy => policies::execution_role(given),
            Make::TrustPolicy => policies::trust(given),
            Make::DeployerPolicy => policies::deployer(given),
            Make::GithubActions => pipelines::github(given),
            Make::GitlabCi => pipelines::gitlab(given),
            Make::CodeBuild => pipelines::codebuild(given),
            Make::Copied(files) => copied::files(files),
        })
    }
}

impl Filled {
    fn of(path: impl Into<String>, text: String) -> Self {
        Self { files: vec![File { path: path.into(), text }], placeholders: Vec::new() }
    }

    fn and(mut self, path: impl Into<String>, text: impl Into<String>) -> Self {
        self.files.push(File { path: path.into(), text: text.into() });
        self
    }
}

/// What stands for an account that is not known. IAM refuses it, so that it cannot be overlooked.
const ACCOUNT: &str = "ACCOUNT_ID";
/// What stands for a Region that is not known.
const REGION: &str = "REGION";

impl Given<'_> {
    /// What to say where the Region is not known.
    fn unknown_region(&self) -> Option<String> {
        let known = self.config.connection.region.is_some();
        (!known).then(|| format!("{REGION} stands for the Region; `--region` fills it in"))
    }

    /// Where the stack is, as far as the config says, and what stands for the rest.
    fn place(&self) -> (Place, Vec<String>) {
        let role: Vec<&str> = self.config.existing_role.iter().flat_map(|role| role.splitn(6, ':')).collect();
        let of_role = |at: usize| role.get(at).copied().filter(|_| role.first() == Some(&"arn"));
        let region = self.config.connection.region.as_deref();
        let account = self.account.or_else(|| of_role(4));
        let mut placeholders = Vec::new();
        if account.is_none() {
            placeholders.push(format!("{ACCOUNT} stands for the account; `--account` fills it in"));
        }
        placeholders.extend(self.unknown_region());
        let partition = of_role(1).unwrap_or_else(|| partition(region.unwrap_or_default()));
        let [account, region] = [account.unwrap_or(ACCOUNT), region.unwrap_or(REGION)].map(str::to_owned);
        (Place { account, partition: partition.to_owned(), region }, placeholders)
    }
}

/// The partition of a Region, by how its name begins.
fn partition(region: &str) -> &'static str {
    [
        ("cn-", "aws-cn"),
        ("us-gov-", "aws-us-gov"),
        ("us-isob-", "aws-iso-b"),
        ("us-isof-", "aws-iso-f"),
        ("us-iso-", "aws-iso"),
        ("eu-isoe-", "aws-iso-e"),
        ("eusc-", "aws-eusc"),
    ]
    .into_iter()
    .find(|(lead, _)| region.starts_with(lead))
    .map_or("aws", |(_, partition)| partition)
}
