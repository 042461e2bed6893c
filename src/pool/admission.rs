//! In which form a model is used, and by how many sessions at once, so that all of it fits into the memory allowed.
//! Loads nothing.
//!
//! Fewer sessions come before a smaller form: one session with good weights is slower, not worse.

use super::forms;
use super::memory::{self, Needs, Short};
use super::setup::Setup;
use crate::device;
use crate::engine::Kernels;
use crate::model::{self, Installed, WeightType};
use std::fmt;

/// A form that a model can be had in.
#[derive(Debug, Clone, PartialEq)]
pub enum Form {
    /// The file as it lies there.
    File(Installed),
    /// To be made from the f16 file, or made already.
    Made(Installed, WeightType),
}

/// A form and what it takes.
#[derive(Debug, Clone, PartialEq)]
pub struct Candidate {
    pub form: Form,
    pub needs: Needs,
}

impl Candidate {
    pub fn file(model: Installed, gpu: bool) -> Candidate {
        let needs = Needs::of(&model.header, model.header.ftype, model.bytes, gpu);
        Candidate { form: Form::File(model), needs }
    }

    /// `from` as it would be with its matrices in another type; the file itself where there is nothing to be made.
    pub fn made(from: &Installed, weights: WeightType, gpu: bool) -> Candidate {
        if from.header.ftype != WeightType::F16 || weights == WeightType::F16 {
            return Candidate::file(from.clone(), gpu);
        }
        let needs = Needs::of(&from.header, weights, from.bytes_as(weights), gpu);
        Candidate { form: Form::Made(from.clone(), weights), needs }
    }

    pub fn model(&self) -> &Installed {
        match &self.form {
            Form::File(model) | Form::Made(model, _) => model,
        }
    }

    pub fn weights(&self) -> WeightType {
        match &self.form {
            Form::File(model) => model.header.ftype,
            Form::Made(_, weights) => *weights,
        }
    }

    /// What has to be in memory at once when f16 and this form are compared, one after the other.
    pub fn trial_bytes(&self, gpu: bool) -> u64 {
        let model = self.model();
        let f16 = Needs::of(&model.header, WeightType::F16, model.bytes_as(WeightType::F16), gpu);
        f16.weights.max(self.needs.weights) + f16.listener
    }
}

/// The forms that a model can be used in: the one that is wanted, then the smaller ones, the largest of them first.
/// `installed` may hold other files of it.
pub fn candidates(
    chosen: &Installed,
    installed: &[Installed],
    wanted: WeightType,
    gpu: bool,
) -> Vec<Candidate> {
    let first = Candidate::made(chosen, wanted, gpu);
    let forms = installed.iter().filter(|model| model.is_form_of(chosen));
    let mut smaller: Vec<Candidate> = forms.map(|model| Candidate::file(model.clone(), gpu)).collect();
    smaller.extend([WeightType::Q8_0, WeightType::Q5_1].map(|weights| Candidate::made(chosen, weights, gpu)));
    smaller.retain(|c| c.needs.weights < first.needs.weights);
    // What lies there comes before what has to be made.
    smaller.sort_by_key(|c| (std::cmp::Reverse(c.needs.weights), matches!(c.form, Form::Made(..))));
    smaller.dedup_by_key(|c| c.needs.weights);
    smaller.insert(0, first);
    smaller
}

/// How many of `wanted` sessions there may be where so many bytes are left for a model and its sessions. `listener`:
/// what the detection of languages would take beside them if it had a model of its own.
pub fn sessions(needs: &Needs, session: u64, room: u64, listener: u64, wanted: usize) -> usize {
    match room.checked_sub(needs.weights) {
        Some(room) => memory::fitting(room, session, listener.min(needs.listener), wanted),
        None => 0,
    }
}

/// How a model would be used now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Forecast {
    pub weights: WeightType,
    pub sessions: usize,
    /// Of the sessions that are wanted.
    pub wanted: usize,
    /// All that would be taken then.
    pub bytes: u64,
}

impl fmt::Display for Forecast {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Forecast { weights, sessions, wanted, bytes } = *self;
        write!(f, "{sessions} of {wanted} sessions with {weights} fit, {} MB in all", memory::mb_above(bytes))
    }
}

/// Looks ahead, without loading anything. `taken`: bytes that the daemon's processes take already. Fails when there is no
/// room for one session.
pub fn forecast(setup: &Setup, chosen: &Installed, taken: u64) -> Result<Forecast, Short> {
    let installed = model::installed(&setup.models_dir);
    let forms = candidates(chosen, &installed, forms::wanted(setup, &Kernels::here()), setup.gpu().is_some());
    let (base, allowed) = (memory::base(setup), memory::allowed(setup, taken));
    let (wanted, _) = setup.sessions(device::cores());
    let look = |c: &Candidate| {
        let sessions = sessions(&c.needs, c.needs.session, allowed.saturating_sub(base), u64::MAX, wanted);
        let bytes = base + c.needs.weights + sessions as u64 * c.needs.session;
        Some(Forecast { weights: c.weights(), sessions, wanted, bytes }).filter(|_| sessions > 0)
    };
    let needed = forms.iter().map(|c| c.needs.least(base)).min().unwrap_or(0);
    forms.iter().find_map(look).ok_or(Short { model: chosen.name.clone(), needed, allowed })
}

#[cfg(test)]
mod tests {
    use super::{Candidate, Form, candidates, sessions};
    use crate::engine::whisper;
    use crate::model::{Installed, WeightType, samples};
    use WeightType::{Bf16, F16, Q5_0, Q5_1, Q8_0};

    fn model(name: &str, weights: WeightType) -> Installed {
        let header = samples::sample(weights).header;
        let f16 = Installed { name: name.into(), path: name.into(), bytes: 100_000_000, header };
        let bytes = Installed { header: samples::sample(F16).header, ..f16.clone() }.bytes_as(weights);
        Installed { bytes, ..f16 }
    }

    fn check(
        chosen: Installed,
        installed: &[Installed],
        wanted: WeightType,
        expected: &[(WeightType, bool)],
    ) {
        let found: Vec<_> = candidates(&chosen, installed, wanted, true)
            .iter()
            .map(|c| (c.weights(), matches!(c.form, Form::Made(..))))
            .collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn smaller_forms_are_made_of_f16_where_none_lie_there() {
        check(model("m", F16), &[model("m", F16)], Q8_0, &[(Q8_0, true), (Q5_1, true)]);
        check(model("m", F16), &[], F16, &[(F16, false), (Q8_0, true), (Q5_1, true)]);
        check(model("m", F16), &[], Bf16, &[(Bf16, true), (Q8_0, true), (Q5_1, true)]);
    }

    #[test]
    fn our_decoder_keeps_what_is_smaller_than_q8_0_as_that() {
        let found = candidates(&model("m", F16), &[model("m-q5_1", Q5_1)], F16, false);
        let found: Vec<_> = found.iter().map(Candidate::weights).collect();
        match whisper::is_own(false) {
            true => assert_eq!(found, [F16, Q5_1]),
            false => assert_eq!(found, [F16, Q8_0, Q5_1]),
        }
    }

    #[test]
    fn what_lies_there_is_taken_before_it_is_made() {
        let lying = [model("m-q5_1", Q5_1), model("m-q5_0", Q5_0), model("other-q5_1", Q5_1)];
        check(model("m", F16), &lying, Q8_0, &[(Q8_0, true), (Q5_1, false), (Q5_0, false)]);
    }

    #[test]
    fn of_a_quantised_file_nothing_can_be_made() {
        check(model("m-q8_0", Q8_0), &[model("m-q8_0", Q8_0)], Q8_0, &[(Q8_0, false)]);
        check(model("m-q8_0", Q8_0), &[model("m-q5_0", Q5_0)], Q8_0, &[(Q8_0, false), (Q5_0, false)]);
    }

    #[test]
    fn weights_come_first_and_sessions_share_what_is_left() {
        let needs = Candidate::file(model("m", F16), false).needs;
        let check = |room, expected| {
            assert_eq!(sessions(&needs, needs.session, room, u64::MAX, 4), expected, "{room}");
        };
        check(needs.weights, 0);
        check(needs.weights + needs.session - 1, 0);
        check(needs.weights + needs.session, 1);
        check(needs.weights + needs.listener + 3 * needs.session, 3);
        check(u64::MAX, 4);
    }
}
