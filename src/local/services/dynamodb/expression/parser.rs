//! From tokens to conditions and paths.

use super::lexer::Token;
use super::{Attribute, Path, Placeholders, Step, is_reserved};

/// What a condition compares.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Operand {
    Path(Path),
    Value(Attribute),
    /// `size(path)`
    Size(Path),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Comparator {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

/// A condition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Condition {
    Compare(Comparator, Operand, Operand),
    Between(Operand, Operand, Operand),
    In(Operand, Vec<Operand>),
    Exists(Path),
    NotExists(Path),
    IsOfType(Path, Operand),
    BeginsWith(Operand, Operand),
    Contains(Operand, Operand),
    And(Box<Condition>, Box<Condition>),
    Or(Box<Condition>, Box<Condition>),
    Not(Box<Condition>),
}

/// Reads tokens from the front.
pub(super) struct Parser<'a> {
    tokens: Vec<Token>,
    at: usize,
    /// How deep parentheses and NOTs are nested: an expression is 4 KB at most, but each level takes stack.
    depth: usize,
    placeholders: &'a Placeholders,
}

impl<'a> Parser<'a> {
    pub(super) fn new(tokens: Vec<Token>, placeholders: &'a Placeholders) -> Self {
        Self { tokens, at: 0, depth: 0, placeholders }
    }

    /// Fails where something is left.
    pub(super) fn end(&self) -> Result<(), String> {
        if self.at == self.tokens.len() { Ok(()) } else { Err(self.unexpected()) }
    }

    pub(super) fn condition(&mut self) -> Result<Condition, String> {
        let mut left = self.conjunction()?;
        while self.keyword("OR") {
            left = Condition::Or(Box::new(left), Box::new(self.conjunction()?));
        }
        Ok(left)
    }

    fn conjunction(&mut self) -> Result<Condition, String> {
        let mut left = self.negation()?;
        while self.keyword("AND") {
            left = Condition::And(Box::new(left), Box::new(self.negation()?));
        }
        Ok(left)
    }

    fn negation(&mut self) -> Result<Condition, String> {
        self.depth += 1;
        if self.depth > 100 {
            return Err("The expression is nested too deeply;".to_owned());
        }
        let parsed = if self.keyword("NOT") {
            Condition::Not(Box::new(self.negation()?))
        } else if self.sign("(") {
            let inner = self.condition()?;
            self.expect(")")?;
            inner
        } else {
            self.predicate()?
        };
        self.depth -= 1;
        Ok(parsed)
    }

    fn predicate(&mut self) -> Result<Condition, String> {
        if let Some(function) = self.function()
            && function != "size"
        {
            return self.call(&function);
        }
        let left = self.operand()?;
        if self.keyword("BETWEEN") {
            let low = self.operand()?;
            if !self.keyword("AND") {
                return Err(self.unexpected());
            }
            return Ok(Condition::Between(left, low, self.operand()?));
        }
        if self.keyword("IN") {
            self.expect("(")?;
            let mut list = vec![self.operand()?];
            while self.sign(",") {
                list.push(self.operand()?);
            }
            self.expect(")")?;
            return Ok(Condition::In(left, list));
        }
        let comparators = [
            ("=", Comparator::Equal),
            ("<>", Comparator::NotEqual),
            ("<=", Comparator::LessOrEqual),
            ("<", Comparator::Less),
            (">=", Comparator::GreaterOrEqual),
            (">", Comparator::Greater),
        ];
        let found = comparators.into_iter().find(|(sign, _)| self.sign(sign));
        let (_, comparator) = found.ok_or_else(|| self.unexpected())?;
        Ok(Condition::Compare(comparator, left, self.operand()?))
    }

    fn call(&mut self, function: &str) -> Result<Condition, String> {
        self.at += 1;
        self.expect("(")?;
        let called = match function {
            "attribute_exists" => Condition::Exists(self.path()?),
            "attribute_not_exists" => Condition::NotExists(self.path()?),
            "attribute_type" => {
                let path = self.path()?;
                self.expect(",")?;
                Condition::IsOfType(path, self.operand()?)
            }
            "begins_with" | "contains" => {
                let left = self.operand()?;
                self.expect(",")?;
                let right = self.operand()?;
                if function == "contains" { Condition::Contains(left, right) } else { Condition::BeginsWith(left, right) }
            }
            other => return Err(format!("Invalid function name; function: {other}")),
        };
        self.expect(")")?;
        Ok(called)
    }

    /// The name of a function, where one is next; it stays there.
    pub(super) fn function(&self) -> Option<String> {
        match (self.tokens.get(self.at), self.tokens.get(self.at + 1)) {
            (Some(Token::Word(name)), Some(Token::Sign("(")))
                if !["IN", "AND", "OR", "NOT", "BETWEEN"].iter().any(|word| name.eq_ignore_ascii_case(word)) =>
            {
                Some(name.clone())
            }
            _ => None,
        }
    }

    pub(super) fn operand(&mut self) -> Result<Operand, String> {
        if let Some(Token::Value(name)) = self.tokens.get(self.at) {
            let value = self.placeholders.value(name)?;
            self.at += 1;
            return Ok(Operand::Value(value));
        }
        if self.function().as_deref() == Some("size") {
            self.at += 1;
            self.expect("(")?;
            let path = self.path()?;
            self.expect(")")?;
            return Ok(Operand::Size(path));
        }
        self.path().map(Operand::Path)
    }

    pub(super) fn paths(&mut self) -> Result<Vec<Path>, String> {
        let mut paths = vec![self.path()?];
        while self.sign(",") {
            let next = self.path()?;
            if paths.contains(&next) {
                return Err(format!(
                    "Two document paths overlap with each other; must remove or rewrite one of these paths; path one: [{}], path two: [{}]",
                    next.attribute, next.attribute
                ));
            }
            paths.push(next);
        }
        Ok(paths)
    }

    pub(super) fn path(&mut self) -> Result<Path, String> {
        let mut path = Path { attribute: self.path_name()?, steps: Vec::new() };
        loop {
            if let Some(Token::Index(at)) = self.tokens.get(self.at) {
                path.steps.push(Step::Place(*at));
                self.at += 1;
            } else if self.sign(".") {
                path.steps.push(Step::Member(self.path_name()?));
            } else {
                return Ok(path);
            }
        }
    }

    fn path_name(&mut self) -> Result<String, String> {
        let name = match self.tokens.get(self.at) {
            Some(Token::Word(word)) if is_reserved(word) => {
                return Err(format!("Attribute name is a reserved keyword; reserved keyword: {word}"));
            }
            Some(Token::Word(word)) => word.clone(),
            Some(Token::Name(placeholder)) => self.placeholders.name(placeholder)?,
            Some(Token::Value(_) | Token::Index(_) | Token::Sign(_)) | None => return Err(self.unexpected()),
        };
        self.at += 1;
        Ok(name)
    }

    /// Takes a keyword, if it is next.
    pub(super) fn keyword(&mut self, keyword: &str) -> bool {
        let next = matches!(self.tokens.get(self.at), Some(Token::Word(word)) if word.eq_ignore_ascii_case(keyword));
        self.at += usize::from(next);
        next
    }

    /// Takes a sign, if it is next.
    pub(super) fn sign(&mut self, sign: &str) -> bool {
        let next = matches!(self.tokens.get(self.at), Some(Token::Sign(found)) if *found == sign);
        self.at += usize::from(next);
        next
    }

    pub(super) fn expect(&mut self, sign: &str) -> Result<(), String> {
        if self.sign(sign) { Ok(()) } else { Err(self.unexpected()) }
    }

    /// Goes past a function's name.
    pub(super) fn skip(&mut self) {
        self.at += 1;
    }

    pub(super) fn at_end(&self) -> bool {
        self.at == self.tokens.len()
    }

    pub(super) fn unexpected(&self) -> String {
        let near = match self.tokens.get(self.at) {
            None => "<EOF>".to_owned(),
            Some(Token::Word(text) | Token::Name(text) | Token::Value(text)) => text.clone(),
            Some(Token::Index(at)) => format!("[{at}]"),
            Some(Token::Sign(sign)) => (*sign).to_owned(),
        };
        format!("Syntax error; token: \"{near}\", near: \"{near}\"")
    }
}
