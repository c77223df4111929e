//! What was proven on a device, and what it follows from that in the end.

use tidegate_domain::assignment::{Progress, Reason};
use tidegate_domain::counts::Class;
use tidegate_domain::device::Device;
use tidegate_domain::ids::RolloutId;
use tidegate_domain::policy::OnDrift;
use tidegate_domain::rollout::{Rollout, Status};
use tidegate_domain::row::Row;

use super::super::agent::Agent;
use super::stored::all_rows;
use super::{Oracle, READ_MS, SKEW};
use crate::memory::MemoryStore;

impl Oracle {
    /// Nobody goes back behind what was proven on it, nobody runs what was taken back, and who was passed over because
    /// it ran the image already runs it still.
    pub(super) fn judge_proof(&mut self, store: &MemoryStore, agent: &Agent, device: &Device, all: &[Rollout]) {
        let Some(track) = device.tracks.values().next() else { return };
        let by_id = |id: &RolloutId| all.iter().find(|rollout| rollout.rollout_id == *id);
        let by_hand = agent.hand_at.unwrap_or(0);
        let passed_over = |row: &Row| {
            let last = row.history.last().map_or(0, |happened| happened.at.as_millisecond());
            row.reason == Some(Reason::UpToDate) && last + SKEW >= by_hand
        };
        let rows: Vec<Row> = all_rows(store).into_iter().filter(|row| row.device_uuid == agent.uuid).collect();
        let proven = rows
            .iter()
            .filter(|row| row.class == Class::Healthy || passed_over(row))
            .filter_map(|row| Some((row, by_id(&row.rollout_id)?)))
            .filter(|(_, rollout)| rollout.status == Status::Completed)
            .max_by_key(|(_, rollout)| rollout.generation);
        let newest = rows.iter().filter_map(|row| Some(by_id(&row.rollout_id)?.generation)).max();
        let runs = Some(&agent.runs.1);
        let place = track.current.as_ref().and_then(|place| Some((place, by_id(&place.rollout_id)?)));
        let behind = track.baseline.as_ref().and_then(|pin| pin.digest.as_ref());
        if let Some((place, rollout)) = place
            && rollout.status == Status::RolledBack
            && !matches!(place.progress, Progress::Stuck { .. } | Progress::NotSeen)
            && rollout.target.digest.as_ref() == runs
            // Of one that tells no content nobody knows that the tag that it rests on brought the same.
            && !(agent.terse.is_some() && track.idle().is_some_and(|pin| pin.digest.is_none()))
            // Of some the way back leads to a tag alone.
            && track.baseline.as_ref().is_none_or(|pin| !pin.same_image(&rollout.target))
        {
            let id = &rollout.rollout_id;
            self.wrong(format!("device {} runs what {id} brought and took back ({:?})", agent.uuid, place.progress));
        }
        let Some((row, rollout)) = proven else { return };
        if newest == Some(rollout.generation)
            && row.reason == Some(Reason::UpToDate)
            && track.generation() <= rollout.generation
            && rollout.target.digest.as_ref() != runs
            && self.policy(&rollout.rollout_id).window.is_none()
        {
            let (uuid, id) = (agent.uuid, &rollout.rollout_id);
            self.wrong(format!("device {uuid} ran the image of {id} already, and now runs {}", agent.runs.0));
        }
        let later = |other: &&Rollout| other.status == Status::Completed && other.generation >= rollout.generation;
        // Taken by another rollout before its own completed, it had proven nothing yet.
        let left = self.left.get(&(agent.uuid, rollout.rollout_id.clone()));
        let proved_it = left.is_none_or(|left| {
            rollout.completed_at.is_some_and(|completed| completed.as_millisecond() + READ_MS < *left)
        });
        let replaced = place.is_some_and(|(place, _)| place.generation > rollout.generation) && proved_it;
        let adopted =
            agent.hand_at.is_some() && rows.iter().any(|row| self.policy(&row.rollout_id).on_drift == OnDrift::Adopt);
        if replaced && !adopted && !all.iter().filter(later).any(|other| other.target.digest.as_ref() == behind) {
            self.wrong(format!("device {} could go back behind {}, which it proved", agent.uuid, rollout.rollout_id));
        }
    }
}
