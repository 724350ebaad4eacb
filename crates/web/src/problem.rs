//! What went wrong, told to whom it concerns: a program gets `{"error":{…}}`, a person gets a
//! page that says what to do.

use std::borrow::Cow;

use axum::Json;
use axum::extract::Request;
use axum::http::{HeaderName, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;
use studio::Failure;
use studio::credits::Refusal;
use studio::jobs::JobError;
use studio::order::OrderError;
use studio::privacy::inventory::Purpose;
use studio::privacy::restriction::Mode;

use crate::pages;

/// An error as it is answered. Everything in it may be shown.
#[derive(Debug)]
pub(crate) struct Problem {
    pub(crate) status: StatusCode,
    pub(crate) message: String,
    /// The field that is wrong.
    pub(crate) param: Option<Cow<'static, str>>,
    /// For programs to decide by.
    pub(crate) code: Cow<'static, str>,
    /// Where trying again later helps.
    pub(crate) retry_after_s: Option<u32>,
    /// What somebody has to say first that they look for, and where they go on afterwards.
    pub(crate) asks: Option<Box<Asks>>,
}

/// A duty that has to begin first.
#[derive(Debug)]
pub(crate) struct Asks {
    pub(crate) purposes: Vec<Purpose>,
    pub(crate) back: String,
}

impl Problem {
    pub(crate) fn new(
        status: StatusCode,
        code: impl Into<Cow<'static, str>>,
        message: impl Into<String>,
    ) -> Self {
        let (code, message) = (code.into(), message.into());
        Self {
            status,
            message,
            param: None,
            code,
            retry_after_s: None,
            asks: None,
        }
    }

    /// A field of a request that is wrong.
    pub(crate) fn field(
        param: impl Into<Cow<'static, str>>,
        code: &'static str,
        message: impl Into<String>,
    ) -> Self {
        let param = Some(param.into());
        Self {
            param,
            ..Self::new(StatusCode::BAD_REQUEST, code, message)
        }
    }

    pub(crate) fn nothing() -> Self {
        let message = "There is nothing here: it is gone, or never was, or is somebody else's.";
        Self::new(StatusCode::NOT_FOUND, "not_found", message)
    }

    pub(crate) fn no_job() -> Self {
        Self::new(
            StatusCode::NOT_FOUND,
            "job_not_found",
            "There is no such job. List yours at /v1/jobs.",
        )
    }

    pub(crate) fn job_unfinished() -> Self {
        let message = "This job is not over yet. Cancel it first, then remove it.";
        Self::new(StatusCode::CONFLICT, "job_unfinished", message)
    }

    pub(crate) fn no_picture() -> Self {
        let message =
            "There is no such picture: it was deleted, or never was. List yours at /v1/pictures.";
        Self::new(StatusCode::NOT_FOUND, "picture_not_found", message)
    }

    /// The session or the key ended while it was answered.
    pub(crate) fn access_ended() -> Self {
        let message = "The session was ended or the key revoked, so this answer ends here. What was not finished was not charged.";
        Self::new(StatusCode::UNAUTHORIZED, "access_ended", message)
    }

    /// The account is in a mode in which this is not done.
    pub(crate) fn restricted(mode: Mode) -> Self {
        let message = match mode {
            Mode::Held => {
                "This account was restricted by those who run this house: what is yours is kept, and nothing else is done with it. Why, and what you can do against it, stands at /account/restriction and in GET /v1/me/restriction."
            }
            Mode::Minor => {
                "This account is locked, because its person is too young for this house. What becomes of it, and what you can say against it, stands at /account/restriction."
            }
            Mode::Open | Mode::Restricted => {
                "Your account is restricted, as you wanted: what is yours is kept, and nothing else is done with it. To use it again, lift the restriction at /account/restriction, or with DELETE /v1/me/restriction."
            }
        };
        Self::new(StatusCode::FORBIDDEN, "restricted", message)
    }

    pub(crate) fn stopping() -> Self {
        let message =
            "The program is stopping. What was ordered waits and is drawn after the next start.";
        Self {
            retry_after_s: Some(5),
            ..Self::new(StatusCode::SERVICE_UNAVAILABLE, "stopping", message)
        }
    }

    /// Why a job brought no picture.
    pub(crate) fn of_job(error: &JobError) -> Self {
        let status = match error.code.as_str() {
            "refused" => StatusCode::BAD_REQUEST,
            "model_missing" => StatusCode::NOT_FOUND,
            "cancelled" => StatusCode::CONFLICT,
            "out_of_memory" => StatusCode::SERVICE_UNAVAILABLE,
            "storage_full" => StatusCode::INSUFFICIENT_STORAGE,
            _ => StatusCode::INTERNAL_SERVER_ERROR,
        };
        Self::new(status, error.code.clone(), error.message.clone())
    }

    pub(crate) fn body(&self) -> serde_json::Value {
        json!({ "error": {
            "message": self.message,
            "type": self.kind(),
            "param": self.param,
            "code": self.code,
        } })
    }

    const fn kind(&self) -> &'static str {
        match self.status.as_u16() {
            429 => "rate_limit_error",
            400..=499 => "invalid_request_error",
            _ => "server_error",
        }
    }

    /// Answers in the manner of the address: JSON below `/v1`, a page elsewhere.
    pub(crate) fn on(self, path: &str) -> Response {
        if is_api(path) {
            self.into_response()
        } else {
            pages::problem(self)
        }
    }

    pub(crate) fn retry_after(&self) -> Option<(HeaderName, HeaderValue)> {
        self.retry_after_s
            .map(|seconds| (header::RETRY_AFTER, HeaderValue::from(seconds)))
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = (self.status, Json(self.body())).into_response();
        response.headers_mut().extend(self.retry_after());
        response
    }
}

impl From<Failure> for Problem {
    /// The cause goes to the log, here and nowhere else.
    fn from(failure: Failure) -> Self {
        let message = failure.to_string();
        match failure {
            Failure::Stopping => return Self::stopping(),
            Failure::NotOnDuty { purposes } => {
                return Self {
                    asks: Some(Box::new(Asks {
                        purposes,
                        back: "/desk".to_owned(),
                    })),
                    ..Self::new(StatusCode::FORBIDDEN, "not_on_duty", message)
                };
            }
            Failure::Held => {
                return Self::new(StatusCode::CONFLICT, "held", message);
            }
            Failure::NotForRole { .. } => {
                return Self::new(StatusCode::FORBIDDEN, "wrong_role", message);
            }
            Failure::Gone => {
                return Self::new(StatusCode::GONE, "account_deleted", message);
            }
            _ => {}
        }
        tracing::error!(error = %message, "a request failed");
        let message = "The server could not do this now. Nothing was charged. Try again; if it happens again, tell the operator.";
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal_error", message)
    }
}

impl From<OrderError> for Problem {
    fn from(error: OrderError) -> Self {
        let message = error.to_string();
        match error {
            OrderError::Invalid { param, code, .. } => Self::field(param, code, message),
            OrderError::UnknownModel { .. } => Self {
                status: StatusCode::NOT_FOUND,
                ..Self::field("model", "model_not_found", message)
            },
            OrderError::QueueFull { retry_after_s, .. } => Self {
                retry_after_s: Some(retry_after_s),
                ..Self::new(StatusCode::TOO_MANY_REQUESTS, "queue_full", message)
            },
            OrderError::TooManyWaiting { retry_after_s, .. } => Self {
                retry_after_s: Some(retry_after_s),
                ..Self::new(StatusCode::TOO_MANY_REQUESTS, "too_many_waiting", message)
            },
            OrderError::OtherBody => {
                Self::new(StatusCode::CONFLICT, "idempotency_key_reused", message)
            }
            OrderError::Again => Self {
                retry_after_s: Some(1),
                ..Self::new(StatusCode::SERVICE_UNAVAILABLE, "given_up", message)
            },
            OrderError::TooFast { retry_after_s } => Self {
                retry_after_s: Some(retry_after_s),
                ..Self::new(
                    StatusCode::TOO_MANY_REQUESTS,
                    "rate_limit_exceeded",
                    message,
                )
            },
            OrderError::Erasing => Self {
                retry_after_s: Some(5),
                ..Self::new(StatusCode::CONFLICT, "erasing", message)
            },
            OrderError::Restricted => Self::new(StatusCode::FORBIDDEN, "restricted", message),
            OrderError::AboveMaximum { .. } => {
                Self::field("max_credits", "max_credits_exceeded", message)
            }
            OrderError::Refused(refusal) => refusal.into(),
            OrderError::Failure(failure) => failure.into(),
        }
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        let code = match refusal {
            Refusal::Insufficient { .. } => "insufficient_credits",
            Refusal::KeyLimit { .. } => "key_limit_reached",
        };
        Self::new(StatusCode::PAYMENT_REQUIRED, code, refusal.to_string())
    }
}

pub(crate) fn is_api(path: &str) -> bool {
    path == "/v1" || path.starts_with("/v1/")
}

pub(crate) async fn nothing_here(request: Request) -> Response {
    let path = request.uri().path();
    // An address may be long, and may hold anything.
    let shown: String = path.chars().take(100).collect();
    let message = format!("There is nothing at {shown}. The API is described in docs/api.md.");
    Problem::new(StatusCode::NOT_FOUND, "not_found", message).on(path)
}

/// The `allow` header that the router adds to this names the methods that are there.
pub(crate) async fn wrong_method(method: Method, request: Request) -> Response {
    let path = request.uri().path();
    let wanted = if method == Method::GET || method == Method::HEAD {
        "POST or DELETE"
    } else {
        "GET"
    };
    let message =
        format!("{method} is not possible here. Use {wanted}; the allow header names what is.");
    Problem::new(
        StatusCode::METHOD_NOT_ALLOWED,
        "method_not_allowed",
        message,
    )
    .on(path)
}
