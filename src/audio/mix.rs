//! How many channels become one so that speech is heard. Pure; knows nothing of files or of who mixes.

/// The dialogue is in the centre, where there is one; the sides have music and a little of everything, and here and
/// there a voice that nothing else has.
const CENTRE: f32 = 0.5;
const SIDE: f32 = 0.17;
/// Shared by all others.
const OTHERS: f32 = 0.16;

/// The part of each channel in the sum, in the order of the channels; together they are 1.
///
/// `layout` is ffmpeg's name of it (`5.1(side)`, `5 channels (FL+FR+LFE+BL+BR)`). Where nobody says what six, seven or
/// eight channels are, they are taken for 5.1, 6.1 and 7.1.
pub fn weights(channels: usize, layout: Option<&str>) -> Vec<f32> {
    let (centre, bass) = places(channels, layout);
    let carries = |at: usize| Some(at) != bass;
    let carrying = (0..channels).filter(|at| carries(*at)).count().max(1);
    let Some(centre) = centre.filter(|at| *at == 2 && channels > 2) else {
        return (0..channels).map(|at| if carries(at) { 1.0 / carrying as f32 } else { 0.0 }).collect();
    };
    let others = carrying - 3;
    // What nothing takes up the centre does.
    let rest = if others == 0 { OTHERS } else { 0.0 };
    let weight = |at: usize| match at {
        _ if !carries(at) => 0.0,
        0 | 1 => SIDE,
        _ if at == centre => CENTRE + rest,
        _ => OTHERS / others as f32,
    };
    (0..channels).map(weight).collect()
}

/// Where centre and bass are. ffmpeg has its channels in one order: left, right, centre, bass, all others.
fn places(channels: usize, layout: Option<&str>) -> (Option<usize>, Option<usize>) {
    let name = layout.unwrap_or_default();
    if let Some((_, inside)) = name.split_once('(').filter(|(_, inside)| inside.contains('+')) {
        let order: Vec<&str> = inside.trim_end_matches(')').split('+').collect();
        let place = |wanted: &str| order.iter().position(|channel| *channel == wanted);
        return (place("FC"), place("LFE"));
    }
    let mut numbers = name.split('(').next().unwrap_or_default().split('.').map(str::parse::<usize>);
    let (full, bass) = match (numbers.next(), numbers.next()) {
        (Some(Ok(full)), Some(Ok(bass))) => (full, bass > 0),
        _ if ["hexagonal", "octagonal", "hexadecagonal"].contains(&name) => (channels, false),
        _ if name.is_empty() || name == "unknown" => match channels {
            6..=8 => (channels - 1, true),
            _ => (0, false),
        },
        _ => (0, false),
    };
    let centre = full > 2 && !["3.0(back)", "6.0(front)", "6.1(front)"].contains(&name);
    (centre.then_some(2), bass.then_some(if centre { 3 } else { 2 }))
}

/// Two channels cancel out where what they have apart is so much more than what they have in common: 10 dB.
const APART: f32 = 10.0;
/// So long is looked back at, in seconds, and so long it takes to go over to the left channel.
const LOOKS_BACK: f32 = 0.1;
/// Below all sound. What fades away further than floats reach is slow to reckon with.
const NOTHING: f32 = 1e-20;

/// Two channels that become one: half of each; where they cancel out, as they do when one of them is turned upside down, the
/// left one alone.
#[derive(Debug)]
pub struct Pair {
    /// What a sample adds to the powers, and how far it moves towards one channel.
    step: f32,
    common: f32,
    apart: f32,
    /// 0: both count; 1: the left one alone.
    left: f32,
}

impl Pair {
    /// What mixes so many channels of `rate` samples a second: only two are a pair.
    pub fn of(channels: u32, rate: u32) -> Option<Pair> {
        let step = 1.0 / (LOOKS_BACK * rate as f32);
        (channels == 2).then_some(Pair { step, common: NOTHING, apart: NOTHING, left: 0.0 })
    }

    /// The next sample of both as one.
    pub fn mix(&mut self, left: f32, right: f32) -> f32 {
        let (common, apart) = ((left + right) / 2.0, (left - right) / 2.0);
        self.common += self.step * (common * common + NOTHING - self.common);
        self.apart += self.step * (apart * apart + NOTHING - self.apart);
        let way = if self.apart > APART * self.common { self.step } else { -self.step };
        self.left = (self.left + way).clamp(0.0, 1.0);
        common + self.left * apart
    }
}

/// ffmpeg's filter that mixes so; none for one channel, nor for two: those are a [`Pair`].
pub fn filter(channels: usize, layout: Option<&str>) -> Option<String> {
    if channels <= 2 {
        return None;
    }
    let heard = weights(channels, layout).into_iter().enumerate().filter(|(_, weight)| *weight > 0.0);
    let terms: Vec<String> = heard.map(|(at, weight)| format!("{weight:.4}*c{at}")).collect();
    Some(format!("pan=mono|c0={}", terms.join("+")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(channels: usize, layout: &str, expected: &[f32]) {
        let found = weights(channels, Some(layout));
        assert_eq!(found.len(), expected.len(), "{layout}");
        for (a, b) in found.iter().zip(expected) {
            assert!((a - b).abs() < 1e-5, "{layout}: {found:?}");
        }
        assert!((found.iter().sum::<f32>() - 1.0).abs() < 1e-5, "{layout}: {found:?}");
    }

    #[test]
    fn the_centre_counts_most_and_every_channel_but_the_bass_counts() {
        check(6, "5.1", &[0.17, 0.17, 0.5, 0.0, 0.08, 0.08]);
        check(6, "5.1(side)", &[0.17, 0.17, 0.5, 0.0, 0.08, 0.08]);
        check(8, "7.1", &[0.17, 0.17, 0.5, 0.0, 0.04, 0.04, 0.04, 0.04]);
        check(4, "4.0", &[0.17, 0.17, 0.5, 0.16]);
        check(3, "3.0", &[0.17, 0.17, 0.66]);
        check(4, "3.1", &[0.17, 0.17, 0.66, 0.0]);
        check(6, "hexagonal", &[0.17, 0.17, 0.5, 0.16 / 3.0, 0.16 / 3.0, 0.16 / 3.0]);
        check(12, "7.1.4", &[0.17, 0.17, 0.5, 0.0, 0.02, 0.02, 0.02, 0.02, 0.02, 0.02, 0.02, 0.02]);
    }

    #[test]
    fn without_a_centre_all_count_the_same() {
        check(1, "mono", &[1.0]);
        check(2, "stereo", &[0.5, 0.5]);
        check(3, "2.1", &[0.5, 0.5, 0.0]);
        check(4, "quad", &[0.25; 4]);
        check(3, "3.0(back)", &[1.0 / 3.0; 3]);
        check(6, "6.0(front)", &[1.0 / 6.0; 6]);
        check(5, "5 channels (FL+FR+LFE+BL+BR)", &[0.25, 0.25, 0.0, 0.25, 0.25]);
        check(4, "4 channels (FL+FR+FC+TC)", &[0.17, 0.17, 0.5, 0.16]);
    }

    #[test]
    fn channels_that_nobody_names_are_guessed_only_where_there_is_one_usual_order() {
        check(6, "unknown", &[0.17, 0.17, 0.5, 0.0, 0.08, 0.08]);
        assert_eq!(weights(8, None), weights(8, Some("7.1")));
        assert_eq!(weights(4, None), [0.25; 4]);
        assert_eq!(weights(16, None), [1.0 / 16.0; 16]);
        assert!(weights(0, None).is_empty());
    }

    #[test]
    fn two_channels_are_a_pair_and_only_more_need_a_filter() {
        assert!(Pair::of(2, 16_000).is_some() && [0, 1, 3, 6].iter().all(|&n| Pair::of(n, 16_000).is_none()));
        assert_eq!(filter(1, Some("mono")), None);
        assert_eq!(filter(2, Some("stereo")), None);
        assert_eq!(filter(3, Some("2.1")).unwrap(), "pan=mono|c0=0.5000*c0+0.5000*c1");
        assert_eq!(filter(4, Some("4.0")).unwrap(), "pan=mono|c0=0.1700*c0+0.1700*c1+0.5000*c2+0.1600*c3");
    }

    /// The loudest of what becomes of a tone in two channels, in its second half.
    fn loudest(left: f32, right: f32) -> f32 {
        let mut pair = Pair::of(2, 16_000).unwrap();
        let tone = |i: usize| (i as f32 * 0.15).sin();
        let mixed = (0..8_000).map(|i| pair.mix(left * tone(i), right * tone(i)));
        mixed.skip(4_000).fold(0.0, |a, b| a.max(b.abs()))
    }

    #[test]
    fn of_two_channels_half_of_each_counts_unless_they_cancel_out() {
        let check = |left: f32, right: f32, expected: f32| {
            let found = loudest(left, right);
            assert!((found - expected).abs() < 0.01, "{left} {right}: {found}");
        };
        check(1.0, 1.0, 1.0);
        check(1.0, 0.0, 0.5);
        check(0.0, 1.0, 0.5);
        check(1.0, -1.0, 1.0);
        check(-0.5, 0.5, 0.5);
        check(1.0, -0.8, 1.0);
        check(1.0, -0.4, 0.3);
        check(0.0, 0.0, 0.0);
    }

    #[test]
    fn going_over_to_one_channel_and_back_does_not_click() {
        let mut pair = Pair::of(2, 16_000).unwrap();
        let tone = |i: usize| 0.5 * (i as f32 * 0.05).sin();
        // Turned upside down for a second in the midst.
        let sound = |i: usize| if (16_000..32_000).contains(&i) { -tone(i) } else { tone(i) };
        let mixed: Vec<f32> = (0..48_000).map(|i| pair.mix(tone(i), sound(i))).collect();
        let step = |part: &[f32]| part.windows(2).map(|w| (w[1] - w[0]).abs()).fold(0.0, f32::max);
        assert!(step(&mixed[16_001..31_999]) < 0.026, "{}", step(&mixed[16_001..31_999]));
        assert!(mixed[20_000..31_000].iter().any(|s| s.abs() > 0.49));
        assert_eq!(mixed[40_000..], (40_000..48_000).map(tone).collect::<Vec<_>>());
    }
}
